import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { PushCluster, type PushedNode, waitedMs } from '../helpers/push-cluster.ts'
import { seeded } from '../helpers/random.ts'
import { longest } from '../helpers/soak.ts'
import { SteadyLoad, steadily, writeAt } from '../helpers/steady-load.ts'

/** A child is away for long while the load goes on, and comes back by itself: nobody tells anybody anything. */
const isSoak = process.env['FLOTILLA_SOAK'] === '1'
vi.setConfig({ testTimeout: longest(600_000) })

const MIB = 1024 * 1024
const SIZES = isSoak
  ? {
      awayS: Number(process.env['FLOTILLA_AWAY_S'] ?? 3600),
      keys: 12_000,
      before: 3000,
      writes: 2000,
      perSecond: 10,
      cap: 20 * MIB,
    }
  : { awayS: 6, keys: 150, before: 150, writes: 100, perSecond: 40, cap: 4 * MIB }
/** Beyond what the bytes take, and what all that takes part waits for processors that others have. */
const SPARE_S = 10
/** At most so much more than was missed, and was written since, is sent: heads and rows, and a little of all. */
const OVERHEAD = 1.2
const SEED = Number(process.env['FLOTILLA_SEED'] ?? Date.now() % 1_000_000)

test(`a child that was away for ${SIZES.awayS} s under load is in step, by itself, as soon as the bytes that it missed fit through the cap, and 10 s`, async ({
  annotate,
}) => {
  const shape = { root: ['away', 'healthy'], away: [], healthy: [] }
  const cluster = await PushCluster.started({ shape, args: ['--catch-up-rate', `${SIZES.cap / MIB}M`] })
  const [away, healthy] = [cluster.node('away'), cluster.node('healthy')]
  const load = new SteadyLoad({ cluster, random: seeded(SEED), keys: SIZES.keys })
  const filling = Array.from({ length: 8 }, async () => {
    while (load.history.acknowledged < SIZES.before) await load.write()
  })
  await Promise.all(filling)
  await untilSame(cluster)
  const done = new AbortController()
  const { signal } = done
  const readable = [cluster.root, healthy]
  let turn = 0
  const going = [
    ...[1, 2].map(async () => steadily(SIZES.perSecond / 2, signal, async () => load.write())),
    steadily(SIZES.perSecond, signal, async () => load.read(readable[turn++ % readable.length] ?? cluster.root)),
  ]
  const health: string[] = []
  const mark = (phase: string): void => void health.push(`${phase} ${told(load.reads.splice(0))}`)
  await delay(isSoak ? 60_000 : 2000)
  mark('before')

  await away.kill()
  const wanted = load.history.acknowledged + SIZES.writes
  await delay(SIZES.awayS * 1000)
  while (load.history.acknowledged < wanted) await delay(100)
  mark('away')
  const missed = missedBytes(cluster.root, away, load.history.keys)
  const at = load.history.now()
  const [wireBefore, bytesBefore] = [away.wire.bytesToServer, load.bytes]
  await away.start()
  const waited = (): number => (cluster.root.waitedMs() + away.waitedMs() + waitedMs(process.pid)) / 1000
  const waitedBefore = waited()
  readable.push(away)
  const tookS = await untilHas(away, load, at)
  const waitedS = waited() - waitedBefore
  mark('since')
  const [sent, since] = [away.wire.bytesToServer - wireBefore, load.bytes - bytesBefore]
  done.abort()
  await Promise.all(going)
  const files = await untilSame(cluster)

  const boundS = missed / SIZES.cap + SPARE_S
  const writes = load.history.acknowledged
  const message =
    `${writes} writes, ${mb(missed)} missed of ${files} files, ${mb(since)} written since, ${mb(sent)} sent, in step after ${tookS.toFixed(1)} s ` +
    `of ${boundS.toFixed(1)}, of which ${waitedS.toFixed(1)} waiting for processors that others had, root ${Math.round(cluster.root.peakMemory())} MB; reads ${health.join(', ')}`
  await annotate(message)
  expect(load.faults, `seed ${SEED}, ${message}`).toEqual([])
  expect(tookS - waitedS, message).toBeLessThan(boundS)
  expect(sent, message).toBeLessThan(OVERHEAD * (missed + since) + MIB)
  for (const key of load.history.keys) {
    expect(load.history.staleness(key, writeAt(away, key), load.history.now())).toBeUndefined()
  }
})

/** Bytes of the files that the child has not, or has from another write. */
function missedBytes(root: PushedNode, child: PushedNode, keys: readonly string[]): number {
  let bytes = 0
  for (const key of keys) {
    const write = writeAt(root, key)
    if (write !== undefined && write !== writeAt(child, key))
      bytes += statSync(join(root.folder, key), { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

/** Resolves when a node has, of every key, what was acknowledged up to then, or later; answers the seconds. */
async function untilHas(node: PushedNode, { history }: SteadyLoad, at: number): Promise<number> {
  const beganMs = performance.now()
  const left = [...history.keys]
  for (;;) {
    for (let key = left.at(-1); key !== undefined; key = left.at(-1)) {
      if (history.staleness(key, writeAt(node, key), at) !== undefined) break
      left.pop()
    }
    if (left.length === 0) return (performance.now() - beganMs) / 1000
    await delay(50)
  }
}

/** Resolves once every node has the same files as the root, byte by byte; answers how many. */
async function untilSame({ nodes }: PushCluster): Promise<number> {
  for (;;) {
    const [first = '', ...others] = [...nodes.values()].map(({ folder }) => hashesOf(folder))
    if (others.every((other) => other === first)) return first.split('\n').length - 1
    await delay(500)
  }
}

function hashesOf(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  const paths = files.map((one) => relative(folder, join(one.parentPath, one.name)))
  const own = paths.filter((path) => !path.includes('.flotilla-')).toSorted()
  return own.map((path) => `${hashOf(join(folder, path))} ${path}\n`).join('')
}

function hashOf(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex')
  } catch {
    return 'gone while it was read'
  }
}

function told(reads: readonly number[]): string {
  const sorted = reads.toSorted((a, b) => a - b)
  const at = (share: number): string => `${(sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(1)} ms`
  return `(${sorted.length}): p50 ${at(0.5)}, p99 ${at(0.99)}`
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}
