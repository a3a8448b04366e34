import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { openSync } from '../src/app/sync.ts'
import { silent } from '../src/core/log.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import {
  areInstalled,
  benchFolder,
  emptied,
  flotilla,
  makeFiles,
  rclone,
  seconds,
  type Served,
  serveFiles,
  openWay,
} from './files.ts'
import { type Bench, type Figure, inTurn } from './figure.ts'

const RUNS = 5
const FILES = 20_000
const MANY = 100_000
const BYTES = 8192
const FAR = { files: 1000, ms: 50 }
const BEST_COPY = ['--transfers', '16', '--checkers', '32']
const BEST_LOOK = ['--fast-list', '--use-server-modtime', '--update']

export const bench: Bench = {
  about:
    `${FILES.toLocaleString('en-US')} files of ${BYTES / 1024} KiB in memory (tmpfs), from a file service of ours on the same machine: between our own nodes, and as from any S3 service. ` +
    `Whole processes, with their start, unless said otherwise. The peer is rclone from the same service; "best" is \`${BEST_COPY.join(' ')}\` to copy and \`${BEST_LOOK.join(' ')}\` to look. ` +
    `"Far": ${FAR.ms} ms more for each request.`,
  run: async (say) => {
    if (!areInstalled('rclone')) {
      say('rclone is not installed and cannot be: nothing is measured')
      return []
    }
    const folder = benchFolder()
    try {
      const near = await withTree(folder, FILES, async (served) => await nearby(served, folder, say))
      const far = await withTree(folder, FAR.files, async (served) => await faraway(served, folder, say))
      const many = await withTree(folder, MANY, async (served) => await unchanged(served, MANY, folder, say))
      return [...near, ...many, ...far]
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

type Say = (line: string) => void

async function withTree<T>(folder: string, files: number, use: (served: Served) => Promise<T>): Promise<T> {
  const tree = emptied(join(folder, 'tree'))
  makeFiles(tree, files, BYTES)
  const served = await serveFiles(tree, emptied(join(folder, 'state')), files)
  try {
    return await use(served)
  } finally {
    await served.stop()
  }
}

async function nearby(served: Served, folder: string, say: Say): Promise<readonly Figure[]> {
  const to = join(folder, 'copy')
  say('cold …')
  const best = async (): Promise<number> =>
    await once(async () => await rclone(served.url, ['copy', ...BEST_COPY, 'REMOTE', to]), to)
  const own = await inTurn(RUNS, async () => await once(async () => await sync(served.url, to), to), best)
  const s3 = await inTurn(RUNS, async () => await once(async () => await sync(served.s3, to), to), best)
  const usual = await once(async () => await rclone(served.url, ['copy', 'REMOTE', to]), to)
  return [
    figure('cold, between our own nodes', own, { max: 0.65 }),
    figure('cold, from S3', s3, { max: 1 }),
    { name: 'cold: rclone as it comes', unit: 's', ours: [usual] },
    ...(await unchanged(served, FILES, folder, say)),
    ...(await unchangedS3(served, folder)),
  ]
}

async function unchanged(served: Served, files: number, folder: string, say: Say): Promise<readonly Figure[]> {
  say(`nothing changed in ${files} files …`)
  const [to, other] = [join(folder, 'copy'), join(folder, 'copy2')]
  for (const one of [to, other]) emptied(one)
  await sync(served.url, to)
  await rclone(served.url, ['copy', ...BEST_COPY, 'REMOTE', other])
  const best = async (): Promise<number> => await rclone(served.url, ['sync', ...BEST_LOOK, 'REMOTE', other])
  const fresh = await inTurn(RUNS, async () => await sync(served.url, to), best)
  const running = await rounds(served.url, to)
  const many = `${files.toLocaleString('en-US')} files, nothing changed`
  return [
    { name: `${many}: a running process`, unit: 's', ours: running, target: { max: 0.02 } },
    figure(`${many}: a fresh process`, fresh, { max: 0.3 }),
  ]
}

async function unchangedS3(served: Served, folder: string): Promise<readonly Figure[]> {
  const [to, other] = [join(folder, 'copy'), join(folder, 'copy2')]
  emptied(to)
  await sync(served.s3, to)
  const best = async (): Promise<number> => await rclone(served.url, ['sync', ...BEST_LOOK, 'REMOTE', other])
  const timed = await inTurn(RUNS, async () => await sync(served.s3, to), best)
  const usual = await rclone(served.url, ['sync', 'REMOTE', other])
  const times = timed.peer.map((one, index) => one / (timed.ours[index] ?? NaN))
  return [
    figure('20,000 files, nothing changed: from S3', timed),
    { name: 'the same, as a multiple of rclone’s best', unit: '×', ours: times, target: { min: 1.5 } },
    {
      name: 'the same, as a multiple of rclone as it comes',
      unit: '×',
      ours: timed.ours.map((one) => usual / one),
      target: { min: 5 },
    },
  ]
}

async function faraway(served: Served, folder: string, say: Say): Promise<readonly Figure[]> {
  say('far …')
  const to = join(folder, 'copy')
  const way = await openWay(served.url, FAR.ms)
  const port = new URL(way.url).port
  const far = { url: way.url, s3: served.s3.replace(`:${served.port}/`, `:${port}/`) }
  // In a process of their own the tools leave this one, which delays their requests, free to run.
  const best = async (): Promise<number> =>
    await once(async () => await rclone(way.url, ['copy', ...BEST_COPY, 'REMOTE', to]), to)
  const own = await inTurn(RUNS, async () => await once(async () => await sync(far.url, to), to), best)
  const s3 = await inTurn(RUNS, async () => await once(async () => await sync(far.s3, to), to), best)
  const again: number[] = []
  emptied(to)
  await sync(far.url, to)
  for (let run = 0; run < RUNS; run++) again.push(await sync(far.url, to))
  const running = await rounds(far.url, to)
  way.close()
  const unchangedFar = 'far: nothing changed, between our own nodes'
  return [
    figure(`far: ${FAR.files} files, between our own nodes`, own, { max: 0.5 }),
    figure(`far: ${FAR.files} files, from S3`, s3, { max: 1.3 }),
    { name: `${unchangedFar}: a running process`, unit: 's', ours: running, target: { max: 0.12 } },
    { name: `${unchangedFar}: a fresh process`, unit: 's', ours: again },
  ]
}

async function once(run: () => Promise<number>, to: string): Promise<number> {
  emptied(to)
  return await run()
}

async function sync(from: string, to: string): Promise<number> {
  return await seconds(...flotilla('sync', '--from', from, '--to', to))
}

/** Seconds of a look at an unchanged source, by a process that has looked before. */
async function rounds(from: string, to: string): Promise<readonly number[]> {
  const { signal } = new AbortController()
  const what = { prefixes: [], include: [], exclude: [], days: undefined }
  const opened = await openSync(
    { from: [from], to, what, apikey: undefined, s3: undefined },
    { concurrent: undefined },
    { clock: systemClock, log: silent, env: {}, signal },
  )
  try {
    const values: number[] = []
    for (let run = 0; run < RUNS + 1; run++) {
      const began = performance.now()
      await opened.round(signal)
      values.push((performance.now() - began) / 1000)
    }
    return values.slice(1)
  } finally {
    await opened.close()
  }
}

function figure(
  name: string,
  { ours, peer }: { readonly ours: readonly number[]; readonly peer: readonly number[] },
  target?: Figure['target'],
): Figure {
  return {
    name,
    unit: 's',
    ours,
    peer: { name: 'rclone, best', values: peer },
    ...(target !== undefined && { target }),
  }
}
