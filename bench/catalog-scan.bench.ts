import { fork } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../src/lib/system-clock.ts'
import { Overlay } from '../src/targets/geoserver/definition/overlay.ts'
import { DataDirectory } from '../src/targets/geoserver/directory/data-directory.ts'
import { type Bench, type Figure, median } from './figure.ts'
import { benchFolder } from './files.ts'
import { editStyle, generateCatalog } from './generate-catalog.ts'

const FEW = { layers: 5000, runs: 5 } as const
const MANY = { layers: 100_000, runs: 3 } as const
const ROUNDS = 5
/** Without a limit Node.js collects garbage only when it has taken 2 GB. */
const HEAP_MB = 768

export const bench: Bench = {
  about:
    'From a generated data directory of GeoServer, in memory (tmpfs), to its manifest in portable form: every file read, parsed, its ids replaced by names, ' +
    'and hashed. Each run is a process of its own with a heap of at most ' +
    `${HEAP_MB} MB, and cold counts from its start. ` +
    'A full reload of 5,000 layers takes GeoServer itself 5.7 to 9 s.',
  run: async (say) => {
    const folder = benchFolder()
    try {
      const [few, many] = [join(folder, 'few'), join(folder, 'many')]
      say(`writing ${FEW.layers} and ${MANY.layers} layers …`)
      const files = { few: generateCatalog(few, FEW.layers), many: generateCatalog(many, MANY.layers) }
      // A scan trusts the times of a file only once they are two seconds old.
      await delay(2500)
      return [
        ...figuresOf(`5,000 layers (${files.few} files)`, await runs(few, FEW.runs, say), {
          cold: 2000,
          unchanged: 200,
        }),
        ...figuresOf(`100,000 layers (${files.many} files)`, await runs(many, MANY.runs, say), {
          cold: 30_000,
          unchanged: undefined,
        }),
      ]
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

interface Measured {
  readonly coldMs: number
  readonly unchangedMs: number
  readonly changedMs: number
  readonly peakMb: number
}

interface Targets {
  readonly cold: number
  readonly unchanged: number | undefined
}

function figuresOf(what: string, measured: readonly Measured[], targets: Targets): readonly Figure[] {
  const figure = (name: string, unit: string, value: (one: Measured) => number, max?: number): Figure => ({
    name: `${what}, ${name}`,
    unit,
    ours: measured.map(value),
    ...(max !== undefined && { target: { max } }),
  })
  return [
    figure('cold', 'ms', ({ coldMs }) => coldMs, targets.cold),
    figure('nothing changed', 'ms', ({ unchangedMs }) => unchangedMs, targets.unchanged),
    figure('one style changed', 'ms', ({ changedMs }) => changedMs),
    figure('peak memory', 'MB', ({ peakMb }) => peakMb),
  ]
}

async function runs(folder: string, count: number, say: (line: string) => void): Promise<readonly Measured[]> {
  const measured: Measured[] = []
  for (let run = 1; run <= count; run++) {
    say(`run ${run} of ${count} …`)
    const child = fork(import.meta.filename, [folder], { execArgv: [`--max-old-space-size=${HEAP_MB}`] })
    const [one] = (await once(child, 'message')) as [Measured]
    await once(child, 'exit')
    measured.push(one)
  }
  return measured
}

if (import.meta.main) {
  const [, , folder = ''] = process.argv
  const directory = new DataDirectory({ path: folder, overlay: new Overlay(), clock: systemClock })
  const first = await directory.scan()
  const coldMs = performance.now()
  const [problem] = first.problems ?? []
  if (problem !== undefined) throw new Error(JSON.stringify(problem))
  const [unchanged, changed]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    unchanged.push(await timed(() => directory.scan()))
    editStyle(folder, round, performance.now())
    changed.push(await timed(() => directory.scan()))
  }
  const peakMb = (process.resourceUsage().maxRSS * 1024) / 1e6
  process.send?.({ coldMs, unchangedMs: median(unchanged), changedMs: median(changed), peakMb } satisfies Measured)
  process.exit()
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}
