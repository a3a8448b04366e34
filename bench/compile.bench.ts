import { fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeAtomic } from '../src/lib/atomic-file.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import { scanFolder } from '../src/releases/scan.ts'
import { ScanCache } from '../src/releases/scan-cache.ts'
import { FragmentCache } from '../src/targets/erddap/definition/cache.ts'
import { compile } from '../src/targets/erddap/definition/compile.ts'
import { type Bench, type Figure, median } from './figure.ts'
import { generateFragments, pathOf } from './generate-fragments.ts'
import { concatenate, isInstalled } from './xmlstarlet.ts'

const FRAGMENTS = 3000
const RUNS = 5
const PEER = "xmlstarlet, as docker-erddap's datasets.d.sh"

export const bench: Bench = {
  about:
    `From a folder of ${FRAGMENTS} generated fragments (50 MB) to a written datasets.xml: scanned, checked, compiled, ` +
    'compared with the file that is there, written and synced. Each run is a process of its own, and cold counts from its ' +
    'start. The peer checks no more than that the fragments are XML, syncs nothing, and always does everything.',
  run: async (say) => {
    const folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-'))
    try {
      return await measure(folder, say)
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

async function measure(folder: string, say: (line: string) => void): Promise<readonly Figure[]> {
  const source = join(folder, 'datasets.d')
  const megabytes = generateFragments(source, FRAGMENTS) / 1e6
  // A scan trusts the times of a file only once they are two seconds old.
  await delay(2500)
  const withPeer = isInstalled()
  if (!withPeer) say('xmlstarlet is not installed and cannot be: the peer is left out')
  const ours: Measured[] = []
  const peer: number[] = []
  for (let run = 1; run <= RUNS; run++) {
    say(`run ${run} of ${RUNS} …`)
    rmSync(join(folder, 'datasets.xml'), { force: true })
    ours.push(await inChild(folder))
    if (withPeer) peer.push(concatenate(source, join(folder, 'peer.xml')))
  }
  const against = withPeer ? { peer: { name: PEER, values: peer } } : {}
  const figure = (name: string, max: number, value: (measured: Measured) => number): Figure => ({
    name,
    unit: 'ms',
    ours: ours.map(value),
    target: { max },
    ...against,
  })
  return [
    figure('cold', 1500, ({ coldMs }) => coldMs),
    figure('nothing changed', 100, ({ unchangedMs }) => unchangedMs),
    figure('one fragment changed', 120, ({ changedMs }) => changedMs),
    {
      name: `peak memory, of ${Math.round(megabytes)} MB of fragments`,
      unit: 'MB',
      ours: ours.map(({ peakMb }) => peakMb),
      target: { max: 4 * megabytes },
    },
  ]
}

interface Measured {
  readonly coldMs: number
  readonly unchangedMs: number
  readonly changedMs: number
  readonly peakMb: number
}

async function inChild(folder: string): Promise<Measured> {
  const child = fork(import.meta.filename, [folder])
  const [measured] = (await once(child, 'message')) as [Measured]
  await once(child, 'exit')
  return measured
}

/** Three times each, in the process that compiled it cold: that is how an agent meets a change. */
const ROUNDS = 3

if (import.meta.main) {
  const [, , folder = ''] = process.argv
  const caches = { fragments: new FragmentCache(), scan: new ScanCache() }
  await compileTo(folder, caches)
  const coldMs = performance.now()
  const unchanged: number[] = []
  const changed: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    unchanged.push(await timed(() => compileTo(folder, caches)))
    appendFileSync(join(folder, 'datasets.d', pathOf(FRAGMENTS / 2)), `<!-- ${round} -->\n`)
    changed.push(await timed(() => compileTo(folder, caches)))
  }
  const peakMb = (process.resourceUsage().maxRSS * 1024) / 1e6
  process.send?.({ coldMs, unchangedMs: median(unchanged), changedMs: median(changed), peakMb } satisfies Measured)
  process.disconnect()
}

interface Caches {
  readonly fragments: FragmentCache
  readonly scan: ScanCache
}

async function compileTo(folder: string, { fragments, scan }: Caches): Promise<void> {
  const tree = await scanFolder(join(folder, 'datasets.d'), { clock: systemClock, cache: scan })
  const manifest = { active: {}, removed: {} }
  const compiled = await compile({ tree, manifest, values: new Map(), cache: fragments })
  await writeAtomic(join(folder, 'datasets.xml'), compiled.chunks)
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}
