import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { silent } from '../src/core/log.ts'
import { type IndexedTree, openTreeIndex } from '../src/files/index/tree-index.ts'
import { type Bench, type Figure, median } from './figure.ts'

const RUNS = 5
const SCANNED = 100_000
const LISTED = 1_000_000
const FILES_PER_FOLDER = 500
const PAGE = 1000
const CHANGES = 100

export const bench: Bench = {
  about:
    `The index of a folder, on tmpfs where there is one: ${SCANNED.toLocaleString('en-US')} files scanned for the first time ` +
    `beside find(1), which keeps nothing, and ${LISTED.toLocaleString('en-US')} keys listed by pages of ${PAGE}.`,
  run: async (say) => {
    const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'flotilla-bench-'))
    try {
      const scanned = await scans(base, say)
      const listed = await listings(base, say)
      return [...scanned, ...listed]
    } finally {
      rmSync(base, { recursive: true })
    }
  },
}

async function scans(base: string, say: (line: string) => void): Promise<readonly Figure[]> {
  const root = join(base, 'scanned')
  say(`writing ${SCANNED} files …`)
  fill(root, SCANNED)
  const values = { first: [] as number[], again: [] as number[], find: [] as number[], delay: [] as number[] }
  const changes: number[] = []
  for (let run = 0; run < RUNS; run++) {
    say(`scan ${run + 1} of ${RUNS} …`)
    values.find.push(
      timed(
        () => void execFileSync('find', [root, '-type', 'f', '-printf', '%s %T@ %C@ %i\n'], { maxBuffer: 2 ** 30 }),
      ),
    )
    await withIndex(root, join(base, `state-${run}`), async (index) => {
      const loop = monitorEventLoopDelay({ resolution: 1 })
      loop.enable()
      values.first.push(await timedAsync(() => untilKnown(index)))
      loop.disable()
      values.delay.push(loop.max / 1e6)
      // A look that has begun already would come first.
      await index.scanned({})
      values.again.push(await timedAsync(() => index.scanned({})))
      changes.push(...(await latencies(root, index)))
    })
  }
  const sorted = changes.toSorted((a, b) => a - b)
  return [
    {
      name: `first scan of ${SCANNED} files`,
      unit: 'ms',
      ours: values.first,
      peer: { name: 'find', values: values.find },
      target: { max: 2000 },
    },
    { name: 'a later scan, nothing changed', unit: 'ms', ours: values.again },
    { name: 'longest delay of the event loop meanwhile', unit: 'ms', ours: values.delay, target: { max: 10 } },
    { name: 'file renamed into place → told, median', unit: 'ms', ours: [median(sorted)] },
    {
      name: 'file renamed into place → told, 99th percentile',
      unit: 'ms',
      ours: [sorted[Math.floor(sorted.length * 0.99)] ?? NaN],
      target: { max: 50 },
    },
  ]
}

async function listings(base: string, say: (line: string) => void): Promise<readonly Figure[]> {
  const root = join(base, 'listed')
  say(`writing ${LISTED} files …`)
  fill(root, LISTED)
  return withIndex(root, join(base, 'state-listed'), async (index) => {
    say('scanning them …')
    await index.scanned({})
    const values = { page: [] as number[], list: [] as number[], changes: [] as number[], memory: [] as number[] }
    for (let run = 0; run < RUNS; run++) {
      say(`listing ${run + 1} of ${RUNS} …`)
      values.page.push(timed(() => void index.page({ prefix: '', after: '', limit: PAGE })))
      const before = process.memoryUsage.rss()
      const listMs = timed(() => listAll(index))
      values.list.push(LISTED / (listMs / 1000))
      values.memory.push((process.memoryUsage.rss() - before) / 1e6)
      values.changes.push(LISTED / (timed(() => changesOf(index)) / 1000))
    }
    return [
      { name: `first page of ${LISTED} keys`, unit: 'ms', ours: values.page, target: { max: 50 } },
      { name: 'keys listed', unit: '/s', ours: values.list, target: { min: 100_000 } },
      { name: 'keys told from the beginning as changes', unit: '/s', ours: values.changes, target: { min: 100_000 } },
      { name: 'memory more after a whole listing', unit: 'MB', ours: values.memory, target: { max: 50 } },
    ]
  })
}

function listAll(index: IndexedTree): void {
  let count = 0
  for (let after = ''; ;) {
    const entries = index.page({ prefix: '', after, limit: PAGE })
    count += entries.length
    if (entries.length < PAGE) break
    after = entries.at(-1)?.key ?? ''
  }
  if (count !== LISTED) throw new Error(`${count} keys were listed`)
}

function changesOf(index: IndexedTree): void {
  let count = 0
  for (const { changes } of index.changes({ since: undefined, prefixes: [] })) count += changes.length
  if (count !== LISTED) throw new Error(`${count} keys were told`)
}

/** From the rename until who waits has been woken. */
async function latencies(root: string, index: IndexedTree): Promise<readonly number[]> {
  const values: number[] = []
  for (let change = 0; change < CHANGES; change++) {
    const temporary = join(root, 'hidden~')
    writeFileSync(temporary, `content ${change}`)
    // Longer than a tick of the kernel's clock: it would take the rename for a part of the write.
    await delay(10)
    const changed = index.changed({})
    const startedMs = performance.now()
    renameSync(temporary, join(root, 'changed'))
    await changed
    values.push(performance.now() - startedMs)
  }
  rmSync(join(root, 'changed'))
  await index.scanned({})
  return values
}

async function withIndex<T>(root: string, state: string, work: (index: IndexedTree) => Promise<T>): Promise<T> {
  const index = await openTreeIndex({ root, stateFile: join(state, 'index.db'), log: silent, scanMs: 3_600_000 })
  const stop = new AbortController()
  const running = index.service.run(stop.signal)
  try {
    return await work(index)
  } finally {
    stop.abort()
    await running
    await index.close()
  }
}

function fill(root: string, files: number): void {
  for (let file = 0; file < files; file++) {
    const number = Math.floor(file / FILES_PER_FOLDER)
    const folder = join(root, `data/model_${number % 50}/variable_${number}`)
    if (file % FILES_PER_FOLDER === 0) mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `chunk_${file}.om`), '')
  }
}

function timed(work: () => void): number {
  const startedMs = performance.now()
  work()
  return performance.now() - startedMs
}

/** Until the look that begins by itself is over: `scanned` waits for one more, as that one may have passed by what was there before. */
async function untilKnown(index: IndexedTree): Promise<void> {
  while (!index.status().known) await delay(1)
}

async function timedAsync(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}
