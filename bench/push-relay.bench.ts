import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { areInstalled, benchFolder, emptied, makeFiles } from './files.ts'
import { type Bench, type Figure } from './figure.ts'
import { expectCopies, type Upload, upload, uploadOf } from './push-load.ts'
import { type Pushed, startPushed } from './push-tree.ts'

const RUNS = 5
const CHILDREN = 10
const CONNECTIONS = 4
const SIZES = [
  { name: '100 × 1 MB', count: 100, bytes: 1_000_000 },
  { name: '4 × 25 MB', count: 4, bytes: 25_000_000 },
] as const

export const bench: Bench = {
  about:
    `Files put over ${CONNECTIONS} connections to a root with ${CHILDREN} children, all in memory (tmpfs) on one machine: how often each byte leaves the root, where children may pass on to each other ` +
    'what they get (`--relay`). That is all that the process writes (`wchar` of /proc/PID/io), less the file itself. The peer is the same without `--relay`.',
  run: async (say) => {
    if (!areInstalled('curl')) {
      say('curl is not installed and cannot be: nothing is measured')
      return []
    }
    const home = benchFolder()
    try {
      const figures: Figure[] = []
      for (const size of SIZES) {
        const source = join(emptied(join(home, 'source')), 'files')
        makeFiles(source, size.count, size.bytes)
        const files = uploadOf(source)
        say(`${size.name} …`)
        const relayed = await measured(files, join(home, 'relayed'), ['--relay'])
        const straight = await measured(files, join(home, 'straight'), [])
        const peer = (values: readonly number[]) => ({ name: 'without relay', values })
        figures.push(
          {
            name: `${size.name} to ${CHILDREN} children: sent per byte`,
            unit: '×',
            ours: relayed.sent,
            peer: peer(straight.sent),
            target: { max: 1.3 },
          },
          { name: `${size.name}: until all have it`, unit: 's', ours: relayed.seconds, peer: peer(straight.seconds) },
        )
      }
      return figures
    } finally {
      rmSync(home, { recursive: true })
    }
  },
}

interface Measured {
  readonly sent: readonly number[]
  readonly seconds: readonly number[]
}

async function measured(files: Upload, folder: string, args: readonly string[]): Promise<Measured> {
  const pushed = await startPushed({ folder, children: CHILDREN, args, childArgs: args })
  const runs: { readonly sent: number; readonly seconds: number }[] = []
  try {
    for (let run = 0; run < RUNS; run++) runs.push(await once(files, pushed, `run${run}`))
  } finally {
    await pushed.stop()
    rmSync(folder, { recursive: true })
  }
  return { sent: runs.map(({ sent }) => sent), seconds: runs.map(({ seconds }) => seconds) }
}

async function once(files: Upload, { url, root, nodes }: Pushed, name: string) {
  const before = writtenBy(root.pid)
  const seconds = await upload(files, `${url}${name}/`, { connections: CONNECTIONS, query: '?ack=all' })
  const sent = (writtenBy(root.pid) - before - files.bytes) / files.bytes
  const folders = nodes.map((node) => join(node.folder, name))
  expectCopies(folders, files)
  for (const folder of folders) rmSync(folder, { recursive: true })
  return { sent, seconds }
}

/** Bytes, to files and to connections. */
function writtenBy(pid: number): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])
}
