import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { referencePages } from '../scripts/reference/pages.ts'
import { kebab } from '../src/cli/command.ts'
import { COMMANDS } from '../src/cli/commands.ts'
import { COMMON, parseInput } from '../src/cli/parse.ts'
import { agentSchema } from '../src/config/agent.ts'
import { parseConfigDocument } from '../src/config/document.ts'
import { hubSchema } from '../src/config/hub.ts'
import { filesSchema } from '../src/config/files.ts'
import { checkConfig } from '../src/config/load.ts'
import { commandLines, documents, ROOT } from './helpers/documents.ts'

const names = COMMANDS.map(({ name }) => name)
const groups = new Set(names.map((name) => name.split(' ')[0] ?? ''))

test('the generated reference is what the code says; `npm run docs` writes it anew', async () => {
  for (const [name, text] of await referencePages()) {
    const path = join(ROOT, 'docs/reference', name)
    expect(existsSync(path), `${name} is missing`).toBe(true)
    expect(readFileSync(path, 'utf8'), `${name} is old`).toBe(text)
  }
})

/** What is wrong with a command line of the documentation; undefined when it can be typed. */
async function fault(words: readonly string[], whole: boolean): Promise<string | undefined> {
  const [first = '', second = ''] = words
  if (first === '' || first.startsWith('-') || first === 'help' || first === '…' || first === 'COMMAND')
    return undefined
  const named = (count: number) => COMMANDS.find(({ name }) => name === words.slice(0, count).join(' '))
  const entry = named(3) ?? named(2) ?? named(1)
  if (entry === undefined)
    return groups.has(first) && (second === '' || second.startsWith('…')) ? undefined : `no command ${first} ${second}`
  const command = await entry.load()
  const rest = words.slice(entry.name.split(' ').length)
  if (whole) {
    try {
      parseInput(entry.name, command, rest)
      return undefined
    } catch (error) {
      return String(error)
    }
  }
  const known = new Set(Object.keys({ ...command.options, ...COMMON }).map((name) => `--${kebab(name)}`))
  const unknown = rest.filter((word) => word.startsWith('--') && !known.has(word.split('=')[0] ?? ''))
  return unknown.length === 0 ? undefined : `no option ${unknown.join(' ')}`
}

test('every systemd unit starts what can be typed, from where the documentation has a clone put', async () => {
  const units = readdirSync(join(ROOT, 'examples/systemd')).map((name) => join(ROOT, 'examples/systemd', name))
  const guide = join(ROOT, 'docs/how-to/operate.md')
  const lines = [...units, guide].flatMap((file) => readFileSync(file, 'utf8').match(/^ExecStart=.*$/gm) ?? [])
  expect(lines).toHaveLength(units.length + 1)
  const [, folder = ''] = /^cp -a \. (\S+)$/m.exec(readFileSync(guide, 'utf8')) ?? []
  for (const line of lines) {
    const [program, ...words] = line.slice('ExecStart='.length).split(' ')
    expect(program).toBe(`${folder}/flotilla`)
    expect(await fault(words, true), line).toBeUndefined()
  }
})

test('every command line in the documentation names a command and options that exist', async () => {
  const bad: string[] = []
  let count = 0
  for (const { path, text } of documents()) {
    for (const { words, whole } of commandLines(text)) {
      count++
      const found = await fault(words, whole)
      if (found !== undefined) bad.push(`${path}: flotilla ${words.join(' ')}: ${found}`)
    }
  }
  expect(bad).toEqual([])
  expect(count).toBeGreaterThan(30)
})

test('the check of command lines finds what it is for', async () => {
  const lines = commandLines(
    '```sh\n./flotilla statsu\n./flotilla status --jsn # x\nX=1 flotilla datasets compile --to a \\\n  --form b\n```\n`flotilla why`',
  )
  expect(lines.map(({ words }) => words[0])).toEqual(['statsu', 'status', 'datasets', 'why'])
  const faults = await Promise.all(lines.map(({ words, whole }) => fault(words, whole)))
  expect(faults.map((found) => found !== undefined)).toEqual([true, true, true, false])
})

test('every command that the program itself tells people to type exists', () => {
  const bad: string[] = []
  for (const file of readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
    const text = readFileSync(join(ROOT, 'src', file), 'utf8')
    for (const [, first = ''] of text.matchAll(/['"`]flotilla ([a-z][a-z-]*)/g)) {
      if (!groups.has(first) && first !== 'help') bad.push(`src/${file}: flotilla ${first}`)
    }
  }
  expect(bad).toEqual([])
})

test('every configuration in the documentation is valid', async () => {
  let count = 0
  for (const { path, text } of documents()) {
    for (const [, body = ''] of text.matchAll(/^```yaml\n(.*?)^```/gms)) {
      const document = parseConfigDocument(path, body)
      const isAgent = Object.hasOwn(document.data, 'node')
      const schema = isAgent ? agentSchema : Object.hasOwn(document.data, 'trees') ? filesSchema : hubSchema
      expect(checkConfig(schema, { document, env: {}, flags: {} })).not.toHaveProperty('issues')
      count++
    }
  }
  expect(count).toBeGreaterThanOrEqual(2)
})

test('every link in the documentation leads to a file or a heading that is there', () => {
  const bad: string[] = []
  for (const { path, text } of documents()) {
    for (const [, target = ''] of text.replaceAll(/^```.*?^```/gms, '').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const [file = '', anchor] = target.split('#')
      const to = file === '' ? path : normalize(join(dirname(path), file))
      if (!existsSync(join(ROOT, to))) bad.push(`${path}: ${target}`)
      else if (anchor !== undefined && !anchorsOf(readFileSync(join(ROOT, to), 'utf8')).has(anchor))
        bad.push(`${path}: ${target}`)
    }
  }
  expect(bad).toEqual([])
})

/** As GitHub makes them of headings, and those written out. */
function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)])
}

test('every `npm run` in the documentation exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object }
  for (const { path, text } of documents()) {
    for (const [, script = ''] of text.matchAll(/npm run ([a-z-]+)/g)) expect(scripts, path).toHaveProperty(script)
  }
})

test('every test that the documentation names is there', () => {
  const bad: string[] = []
  let count = 0
  for (const { path, text } of documents()) {
    for (const [, file = '', name = ''] of text.matchAll(/\]\(([^)\s]+\.ts) "([^"]+)"\)/g)) {
      count++
      const to = join(ROOT, normalize(join(dirname(path), file)))
      if (!existsSync(to) || !readFileSync(to, 'utf8').includes(name))
        bad.push(`${path}: ${file} has no test "${name}"`)
    }
  }
  expect(bad).toEqual([])
  expect(count).toBeGreaterThan(30)
})
