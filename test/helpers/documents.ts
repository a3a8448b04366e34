import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '../..')

export interface Document {
  /** Relative to the repository. */
  readonly path: string
  readonly text: string
}

/** Every Markdown file of the repository. */
export function documents(): readonly Document[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith('.md'))
  const below = ['docs', 'src', 'standin', 'examples'].flatMap((folder) => markdownIn(folder))
  return [...top, ...below].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

function markdownIn(folder: string): string[] {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.md'))
      .map((path) => join(folder, path))
  } catch {
    return []
  }
}

export interface CommandLine {
  /** The words after the program's name. */
  readonly words: readonly string[]
  /** From a block of shell lines: meant to be typed as it stands. Inline it may leave things out. */
  readonly whole: boolean
}

/** Every line of `text` that runs `flotilla`. */
export function commandLines(text: string): readonly CommandLine[] {
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, body = '']) => body)
  const typed = blocks.flatMap((body) => body.replaceAll(/\\\n\s*/g, ' ').split('\n'))
  const inline = [...text.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, body = '']) => body)
  return [
    ...typed.flatMap((line) => flotillaWords(line).map((words) => ({ words, whole: true }))),
    ...inline.flatMap((line) => flotillaWords(line).map((words) => ({ words, whole: false }))),
  ]
}

/** The words after `flotilla` in each command of a shell line. */
function flotillaWords(line: string): string[][] {
  const commands = line.replace(/(?:^|\s)#.*$/, '').split(/&&|\|\||[|;<>]|\$\(|\)/)
  return commands.flatMap((text) => {
    const words = [...text.trim().matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '')
    const at = words.findIndex((word) => !/^[A-Z_]+=/.test(word) && word !== '$')
    return /^(?:\.\/)?flotilla$/.test(words[at] ?? '') ? [words.slice(at + 1)] : []
  })
}
