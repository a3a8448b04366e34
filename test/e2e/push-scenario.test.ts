import { statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { keepReading, keepWriting, type Load } from '../helpers/push-clients.ts'
import { PushCluster } from '../helpers/push-cluster.ts'
import { seeded } from '../helpers/random.ts'
import { tinyDisk } from '../helpers/tiny-disk.ts'
import { WriteHistory, writeOf } from '../helpers/write-history.ts'

/** Every node is a process of its own; whatever can go wrong does, while several clients write and others read. */
const isSoak = process.env['FLOTILLA_SOAK'] === '1'
vi.setConfig({ testTimeout: isSoak ? 7_200_000 : 240_000 })

const WRITES = isSoak ? 10_000 : 300
const CLIENTS = 4
const READERS = 2
/** So many writes are acknowledged from one trouble to the next. */
const BETWEEN = isSoak ? 40 : 25
const SEED = Number(process.env['FLOTILLA_SEED'] ?? Date.now() % 1_000_000)
const DISK_KB = 64 * 1024

const test = await needs({ root: true })

test(`whatever is killed, cut off, slow or full: nothing that was acknowledged is lost, and all nodes have the same in the end`, async () => {
  const disk = tinyDisk(DISK_KB)
  const shape = { root: ['left', 'right'], left: [], right: ['below'], below: [] }
  const cluster = await PushCluster.started({ shape, places: { left: join(disk, 'tree') } })
  const load: Load = { cluster, history: new WriteHistory(), random: seeded(SEED), faults: [] }
  const done = new AbortController()
  const readers = Array.from({ length: READERS }, async () => keepReading(load, done.signal))
  const clients = Promise.all(Array.from({ length: CLIENTS }, async () => keepWriting(load, WRITES)))
  const troubles = await trouble(load, disk)
  await clients
  await Promise.all([...cluster.nodes.values()].map(async (node) => node.kill()))
  await Promise.all([...cluster.nodes.values()].map(async (node) => node.start()))
  const files = await cluster.inStep()
  done.abort()
  const reads = (await Promise.all(readers)).reduce((sum, count) => sum + count)
  const { history, faults } = load
  const at = history.now()
  for (const key of history.keys) {
    const content = files.get(key)
    const wrong = history.staleness(key, content === undefined ? undefined : (writeOf(content) ?? 0), at)
    if (wrong !== undefined) faults.push(`in the end ${wrong}`)
  }
  expect(faults, `seed ${SEED}: ${troubles.join(', ')}`).toEqual([])
  expect([...files.keys()].filter((key) => !history.keys.includes(key))).toEqual([])
  expect(reads).toBeGreaterThan(WRITES)
})

type Trouble = readonly [name: string, begin: () => void | Promise<void>, end?: () => void | Promise<void>]

/** One trouble after the other until all has been written; answers which. */
async function trouble({ cluster, history, random }: Load, disk: string): Promise<readonly string[]> {
  const told: string[] = []
  const filler = join(disk, 'filler')
  const kinds: readonly ((name: string) => Trouble)[] = [
    (name) => [`kill ${name}`, async () => cluster.node(name).kill(), async () => cluster.node(name).start()],
    (name) => [`cut ${name}`, () => cluster.node(name).wire.cut()],
    (name) => [`clog ${name}`, () => cluster.node(name).wire.clog(), () => cluster.node(name).wire.heal()],
    (name) => [
      `slow ${name}`,
      () => cluster.node(name).wire.narrow(100_000),
      () => cluster.node(name).wire.narrow(undefined),
    ],
    (name) => [`hang ${name}`, () => cluster.node(name).signal('SIGSTOP'), () => cluster.node(name).signal('SIGCONT')],
    () => ['fill left', () => fill(disk, filler), () => truncateSync(filler)],
  ]
  const names = [...cluster.nodes.keys()]
  for (let turn = 0; history.acknowledged < WRITES; turn++) {
    const name = names[Math.floor(random() * names.length)] ?? 'root'
    // A root that waits for its own end would have nobody write meanwhile.
    const kind = name === 'root' ? kinds[0] : kinds[turn % kinds.length]
    const [what, begin, end] = kind?.(name) ?? ['nothing', () => undefined]
    told.push(`${what} at ${history.acknowledged}`)
    await begin()
    if (name !== 'root') await written(history, history.acknowledged + BETWEEN / 2)
    await end?.()
    await written(history, history.acknowledged + BETWEEN / 2)
  }
  return told
}

async function written(history: WriteHistory, count: number): Promise<void> {
  while (history.acknowledged < Math.min(count, WRITES)) await delay(10)
}

/** Nothing more fits on that disk. */
function fill(disk: string, filler: string): void {
  const { bavail, bsize } = statfsSync(disk)
  try {
    writeFileSync(filler, Buffer.alloc(bavail * bsize))
  } catch (error) {
    // Somebody else took the last of it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
