import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { Problem } from '../../../core/problem.ts'
import { didYouMean } from '../../../lib/closest.ts'
import { isSafePath } from '../../../lib/safe-path.ts'
import { yamlFault } from '../../../lib/yaml-fault.ts'
import type { Place } from '../../../lib/text-place.ts'

/** A source folder's own list of its fragments, as SalishSeaCast keeps it. Paths are relative to the tree's root. */
export interface SourceManifest {
  readonly path: string
  /** Folder of the fragments, with a slash at its end; empty for the root. */
  readonly folder: string
  /** `prefix` and `postfix`, as far as given. */
  readonly around: readonly Listed[]
  /** In the order of the output. */
  readonly fragments: readonly Listed[]
  readonly problems: readonly Problem[]
}

export interface Listed extends Place {
  readonly path: string
}

export const MANIFEST_BYTES_MAX = 1024 * 1024

/** Of one file; the rest usually follows from them. */
const ERRORS_MAX = 20

const KEYS = ['datasets tree', 'prefix', 'postfix', 'datasets']

/** Reads `datasets.yaml`: `datasets tree`, `prefix`, `postfix` and the list `datasets`. What is wrong is in `problems`. */
export function readManifest(path: string, text: string): SourceManifest {
  return new Reader(path, text).read()
}

class Reader {
  readonly #path: string
  readonly #text: string
  readonly #lines = new LineCounter()
  readonly #problems: Problem[] = []

  constructor(path: string, text: string) {
    this.#path = path
    this.#text = text
  }

  read(): SourceManifest {
    const empty = { path: this.#path, folder: '', around: [], fragments: [], problems: this.#problems }
    const fault = yamlFault(this.#text)
    if (fault !== undefined) {
      this.#refuse(fault.message, fault)
      return empty
    }
    const document = parseDocument(this.#text, { lineCounter: this.#lines, prettyErrors: false })
    for (const { message, pos } of document.errors.slice(0, ERRORS_MAX)) this.#refuse(message, this.#placeAt(pos[0]))
    const root = document.contents
    if (this.#problems.length > 0) return empty
    if (!isMap(root)) {
      this.#refuse(
        'the file is not a list of keys and values',
        { line: 1, column: 1 },
        `The keys are ${KEYS.join(', ')}.`,
      )
      return empty
    }
    for (const { key } of root.items) this.#checkKey(key)
    const folder = this.#folder(root.get('datasets tree', true))
    const around = ['prefix', 'postfix'].flatMap((key) => this.#listed(root.get(key, true), folder))
    const list = root.get('datasets', true)
    if (!isSeq(list)) this.#refuse('"datasets" is not a list', this.#placeOf(list))
    const fragments = isSeq(list) ? list.items.flatMap((item) => this.#listed(item as Node, folder)) : []
    this.#checkTwice([...around, ...fragments])
    return { path: this.#path, folder, around, fragments, problems: this.#problems }
  }

  #checkKey(key: Node): void {
    const name = isScalar(key) ? String(key.value) : ''
    if (!KEYS.includes(name)) {
      this.#refuse(
        `"${name}" is no key of a manifest`,
        this.#placeOf(key),
        didYouMean(name, KEYS) ?? `The keys are ${KEYS.join(', ')}.`,
      )
    }
  }

  #folder(node: Node | undefined): string {
    const given = this.#string(node)
    const folder = given?.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '') ?? ''
    if (folder === '' || folder === '.') return ''
    if (!isSafePath(folder)) this.#refuse(`"${folder}" leads out of the source folder`, this.#placeOf(node))
    return `${folder}/`
  }

  #listed(node: Node | undefined, folder: string): readonly Listed[] {
    const given = this.#string(node)
    if (given === undefined) return []
    const path = folder + given.replace(/^(?:\.\/+)+/, '')
    const place = this.#placeOf(node)
    if (isSafePath(path)) return [{ path, ...place }]
    this.#refuse(`"${given}" leads out of the source folder`, place)
    return []
  }

  #string(node: Node | undefined): string | undefined {
    if (node === undefined) return undefined
    if (isScalar(node) && typeof node.value === 'string') return node.value
    this.#refuse('a path is expected here', this.#placeOf(node))
    return undefined
  }

  #checkTwice(listed: readonly Listed[]): void {
    const seen = new Set<string>()
    for (const { path, line, column } of listed) {
      if (seen.has(path)) this.#refuse(`"${path}" is listed twice`, { line, column })
      seen.add(path)
    }
  }

  #placeOf(node: Node | undefined): Place {
    return this.#placeAt(node?.range?.[0] ?? 0)
  }

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset)
    return { line: Math.max(1, line), column: Math.max(1, col) }
  }

  #refuse(message: string, { line, column }: Place, hint?: string): void {
    const problem = { severity: 'error', code: 'MANIFEST_INVALID', file: this.#path, message, line, column } as const
    this.#problems.push({ ...problem, ...(hint !== undefined && { hint }) })
  }
}
