import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { randomFillSync } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  areInstalled,
  benchFolder,
  emptied,
  flotilla,
  openWay,
  rclone,
  seconds,
  type Served,
  serveFiles,
} from './files.ts'
import { type Bench, inTurn } from './figure.ts'

const RUNS = 5
const GIB = 2 ** 30
const COUNT = 4
const MB = 1e6

export const bench: Bench = {
  about:
    `Files of 1 GiB in memory (tmpfs), from a file service of ours on the same machine; hashes verified from end to end. Whole processes. The peer is rclone from the same service, ` +
    'four streams a file, which verifies nothing of such files.',
  run: async (say) => {
    if (!areInstalled('rclone')) {
      say('rclone is not installed and cannot be: nothing is measured')
      return []
    }
    const folder = benchFolder()
    const tree = emptied(join(folder, 'tree'))
    for (let index = 0; index < COUNT; index++) makeLarge(join(tree, `large${index}`))
    const served = await serveFiles(tree, emptied(join(folder, 'state')), COUNT)
    try {
      say('four files …')
      // The source hashes what it publishes by itself, once.
      await untilHashed(served)
      const to = join(folder, 'copy')
      const timed = await inTurn(
        RUNS,
        async () => await fresh(to, async () => await sync(served.url, to)),
        async () => await fresh(to, async () => await rclone(served.url, ['copy', '--transfers', '4', 'REMOTE', to])),
      )
      say('a small change …')
      emptied(to)
      await sync(served.url, to)
      const changes = await smallChanges(served, join(tree, 'large0'), to)
      say('killed halfway …')
      const again = await killedHalfway(served, to)
      return [
        { name: '4 × 1 GiB, verified', unit: 's', ours: timed.ours, peer: { name: 'rclone', values: timed.peer } },
        {
          name: 'the same, of rclone’s time',
          unit: '×',
          ours: timed.ours.map((one, index) => one / (timed.peer[index] ?? NaN)),
          target: { max: 1 },
        },
        { name: '40 KiB of 1 GiB changed: what travels', unit: 'MB', ours: changes.bytes, target: { max: 0.6 } },
        { name: '40 KiB of 1 GiB changed', unit: 's', ours: changes.seconds },
        { name: 'the same: processor time of the source', unit: 's', ours: changes.source },
        { name: 'killed at half of 1 GiB: what travels twice', unit: 'MB', ours: again, target: { max: 8.5 } },
      ]
    } finally {
      await served.stop()
      rmSync(folder, { recursive: true })
    }
  },
}

function makeLarge(path: string): void {
  const file = openSync(path, 'w')
  const block = randomFillSync(Buffer.alloc(1024 * 1024))
  for (let index = 0; index < GIB / block.byteLength; index++) {
    block.writeUInt32LE(index, 0)
    writeSync(file, block)
  }
  closeSync(file)
}

async function fresh(to: string, run: () => Promise<number>): Promise<number> {
  emptied(to)
  return await run()
}

async function sync(from: string, to: string): Promise<number> {
  return await seconds(...flotilla('sync', '--from', from, '--to', to))
}

async function untilHashed({ pid }: Served): Promise<void> {
  let idle = 0
  for (let before = cpu(pid); idle < 3; await delay(500)) {
    const now = cpu(pid)
    idle = now - before < 0.05 ? idle + 1 : 0
    before = now
  }
}

/** Seconds of processor time of a process. */
function cpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

interface Changes {
  readonly bytes: readonly number[]
  readonly seconds: readonly number[]
  readonly source: readonly number[]
}

/** Ten pieces of 4 KiB each, spread over the file. */
async function smallChanges(served: Served, file: string, to: string): Promise<Changes> {
  const found = { bytes: [] as number[], seconds: [] as number[], source: [] as number[] }
  for (let run = 0; run < RUNS; run++) {
    const handle = openSync(file, 'r+')
    const piece = randomFillSync(Buffer.alloc(4096))
    for (let index = 0; index < 10; index++)
      writeSync(handle, piece, 0, 4096, Math.floor((GIB / 11) * index) + run * 8192)
    closeSync(handle)
    await delay(500)
    await untilHashed(served)
    const way = await openWay(served.url)
    const before = cpu(served.pid)
    found.seconds.push(await sync(way.url, to))
    found.source.push(cpu(served.pid) - before)
    found.bytes.push(way.bytes() / MB)
    way.close()
  }
  return found
}

/** MB that were sent again. */
async function killedHalfway(served: Served, to: string): Promise<readonly number[]> {
  const values: number[] = []
  for (let run = 0; run < RUNS; run++) {
    emptied(to)
    const way = await openWay(served.url)
    const [program, args] = flotilla('sync', '--from', way.url, '--to', to, '--include', 'large1')
    const child = spawn(program, args, { stdio: 'ignore' })
    while (way.bytes() < GIB / 2) await delay(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await seconds(program, args)
    if (statSync(join(to, 'large1')).size !== GIB) throw new Error(`not whole: ${readdirSync(to).join()}`)
    values.push((way.bytes() - GIB) / MB)
    way.close()
  }
  return values
}
