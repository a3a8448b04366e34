import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { sha256 } from '../../src/lib/hash.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'

const test = await needs({ tools: ['strace'] })

const PROGRAM = join(import.meta.dirname, '../helpers/put-blobs.ts')
/** What opening a folder syncs: each of its 256 folders, and itself. */
const SYNCS_OF_OPEN = 257

/** Puts blobs in a process under strace; answers what it said, line by line. */
function putUnder(strace: readonly string[], folder: string, count: number, mode = ''): readonly string[] {
  const command = ['-f', ...strace, process.execPath, PROGRAM, folder, String(count), mode]
  // One worker thread makes the order, and so the count, of calls the same in every run.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' }
  return execFileSync('strace', command, { encoding: 'utf8', env }).trim().split('\n')
}

/** Calls that strace tells in two halves, because another thread called something in between, as one, where they ended. */
function whole(lines: readonly string[]): readonly string[] {
  const begun = new Map<string, string>()
  return lines.flatMap((line) => {
    const [, thread = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const half = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    if (half !== null) {
      begun.set(thread, half[1] ?? '')
      return []
    }
    const end = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    return end === null ? [rest] : [(begun.get(thread) ?? '') + (end[1] ?? '')]
  })
}

/** Those that were put in the folder, from a trace, in order: what happened to which file. */
function traceOf(path: string): readonly string[] {
  const calls = [
    /fsync\(\d+<([^>]*)>/,
    /rename(?:at2?)?\(.*?"([^"]*)", (?:AT_FDCWD[^,]*, )?"([^"]*)"/,
    /write\(1<[^>]*>, "(held \w+)/,
  ]
  return whole(readFileSync(path, 'utf8').split('\n')).flatMap((line) => {
    const found = calls.map((call) => call.exec(line))
    const [synced, renamed, said] = found
    if (synced) return [`sync ${synced[1]}`]
    // Node.js puts what it compiled into its own cache the same way.
    if (renamed) return renamed[2]?.includes('/blobs/') ? [`rename ${renamed[1]} ${renamed[2]}`] : []
    return said ? [said[1] ?? ''] : []
  })
}

test('a blob is said to be held only after its bytes, and then its name, were synced', async () => {
  const folder = join(temporaryFolder(), 'blobs')
  await openFolderBlobs(folder, { clock: systemClock })
  const trace = `${folder}.trace`
  const said = putUnder(
    ['-y', '-s', '200', '-e', 'trace=fsync,rename,renameat,renameat2,write', '-o', trace],
    folder,
    20,
  )
  expect(said).toHaveLength(20)
  const synced = new Set<string>()
  let renamed: readonly [from: string, to: string] | undefined
  let held = 0
  for (const event of traceOf(trace)) {
    const [what, from = '', to = ''] = event.split(' ')
    if (what === 'sync') synced.add(from)
    if (what === 'rename') {
      expect(synced.has(from), 'the bytes are synced before they get their name').toBe(true)
      synced.clear()
      renamed = [from, to]
    }
    if (what === 'held') {
      expect(renamed?.[1].slice(folder.length + 1).replace('/', '')).toBe(from)
      expect(synced.has(join(renamed?.[1] ?? '', '..')), 'the name is synced before it is told').toBe(true)
      held++
    }
  }
  expect(held).toBe(20)
})

test('many deferred blobs sync each folder once, and nothing is said before', async () => {
  const folder = join(temporaryFolder(), 'blobs')
  await openFolderBlobs(folder, { clock: systemClock })
  const trace = `${folder}.trace`
  const said = putUnder(['-y', '-s', '200', '-e', 'trace=fsync,write', '-o', trace], folder, 600, 'deferred')
  expect(said).toHaveLength(600)
  const events = traceOf(trace).slice(SYNCS_OF_OPEN)
  const folders = events.filter((event) => /^sync .*\/blobs\/[0-9a-f]{2}$/.test(event))
  expect(folders.length).toBe(new Set(folders).size)
  expect(folders.length).toBe(new Set(said.map((line) => line.slice(5, 7))).size)
  expect(events.findIndex((event) => event.startsWith('held'))).toBeGreaterThan(events.indexOf(folders.at(-1) ?? ''))
})

test.for([
  ['fsync', SYNCS_OF_OPEN + 1],
  ['fsync', SYNCS_OF_OPEN + 2],
  ['fsync', SYNCS_OF_OPEN + 5],
  ['fsync', SYNCS_OF_OPEN + 6],
  ['rename', 1],
  ['rename', 3],
] as const)(
  'a disk that fails %s no. %d fails one put, tells so, and takes nothing else with it',
  async ([call, nth]) => {
    const folder = join(temporaryFolder(), 'blobs')
    await openFolderBlobs(folder, { clock: systemClock })
    const inject = `inject=${call}:error=EIO:when=${nth}`
    const said = putUnder(['-e', `trace=${call}`, '-e', inject, '-o', '/dev/null'], folder, 10)
    expect(said.filter((line) => line.startsWith('failed'))).toEqual([
      expect.stringMatching(/^failed \w+ UNREACHABLE$/),
    ])
    const blobs = await openFolderBlobs(folder, { clock: systemClock })
    for (const [index, line] of said.entries()) {
      const hash = sha256(`blob ${index}`)
      expect(line.split(' ')[1]).toBe(hash)
      if (line.startsWith('held')) expect(String(await blobs.read(hash))).toBe(`blob ${index}`)
    }
    const left = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('tmp'))
    expect(left).toEqual([])
  },
)
