import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FiledistNginx } from '../test/helpers/nginx-filedist.ts'
import { FILEDIST_PREFIX, type Filedist, startFiledist } from './filedist/start.ts'
import { areInstalled, benchFolder, emptied, makeFiles } from './files.ts'
import { allInTurn, type Bench, type Figure, timesOf } from './figure.ts'
import { expectCopies, type Upload, upload, uploadOf } from './push-load.ts'
import { nginxBefore, peakMemory, PUSH_TREE, type Pushed, startPushed } from './push-tree.ts'
import { type RsyncDaemon, startRsync } from './rsync-daemons.ts'

const RUNS = 5
const CONNECTIONS = 4
const CHILDREN = 2
const SIZES = [
  { name: '1,000 × 1 MB', count: 1000, bytes: 1_000_000 },
  { name: '20 × 25 MB', count: 20, bytes: 25_000_000 },
] as const
/** From there on the size of files tells in what nginx.filedist needs. */
const LARGE_BYTES = 25_000_000
/** How long what was removed may keep servers busy. */
const REST_MS = 500

export const bench: Bench = {
  about:
    `Files put over ${CONNECTIONS} connections to a root that has ${CHILDREN} children, all in memory (tmpfs) on one machine; answered when all nodes have them, ` +
    'and compared by SHA-256 on all of them afterwards. Ours has verified them by SHA-256 on every node. The peers: nginx.filedist, as it was, on a real nginx; ' +
    'and rsync from files that are there already to two daemons at the same time. Memory is that of all processes of the root, at its peak.',
  run: async (say) => {
    if (!areInstalled('nginx', 'libnginx-mod-http-lua', 'libnginx-mod-http-echo', 'curl', 'rsync')) {
      say('nginx, its Lua and echo modules, curl and rsync are not installed and cannot be: nothing is measured')
      return []
    }
    const folder = benchFolder()
    try {
      const figures: Figure[] = []
      for (const size of SIZES) figures.push(...(await withPeers(folder, size, say)))
      return figures
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

type Size = (typeof SIZES)[number]

interface Contenders {
  readonly pushed: Pushed
  readonly nginx: FiledistNginx
  readonly filedist: Filedist
  readonly daemons: readonly RsyncDaemon[]
}

async function withPeers(home: string, size: Size, say: (line: string) => void): Promise<readonly Figure[]> {
  say(`${size.name} …`)
  const source = join(emptied(join(home, 'source')), 'files')
  makeFiles(source, size.count, size.bytes)
  const files = uploadOf(source)
  const pushed = await startPushed({ folder: emptied(join(home, 'ours')), children: CHILDREN })
  const nginx = await nginxBefore(pushed.root)
  const filedist = await startFiledist(emptied(join(home, 'filedist')), CHILDREN)
  const daemons: RsyncDaemon[] = []
  for (let at = 0; at < CHILDREN; at++) daemons.push(await startRsync(emptied(join(home, `daemon${at}`))))
  try {
    return await measured(size, files, { pushed, nginx, filedist, daemons })
  } finally {
    await nginx.stop()
    await Promise.all([pushed.stop(), filedist.stop(), ...daemons.map(async (daemon) => daemon.stop())])
  }
}

async function measured(
  { name, bytes }: Size,
  files: Upload,
  { pushed, nginx, filedist, daemons }: Contenders,
): Promise<readonly Figure[]> {
  const rate = async (folders: readonly string[], run: () => Promise<number>): Promise<number> => {
    const took = await run()
    expectCopies(folders, files)
    for (const folder of folders) rmSync(folder, { recursive: true })
    await delay(REST_MS)
    return files.bytes / 1e6 / took
  }
  const ours = async (name: string, url: string): Promise<number> => {
    const folders = pushed.nodes.map((node) => join(node.folder, name))
    const options = { connections: CONNECTIONS, query: '?ack=all' }
    return await rate(folders, async () => upload(files, `${url}${name}/`, options))
  }
  const values = await allInTurn(RUNS, {
    node: async (run) => await ours(`run${run}`, pushed.url),
    nginx: async (run) => await ours(`nginx${run}`, `${nginx.url}/${PUSH_TREE}/`),
    filedist: async (run) => {
      const folders = filedist.nodes.map((node) => join(node.folder, `run${run}`))
      const url = `${filedist.url}${FILEDIST_PREFIX}run${run}/`
      return await rate(folders, async () => upload(files, url, { connections: CONNECTIONS }))
    },
    rsync: async () => {
      for (const { folder } of daemons) emptied(folder)
      const copies = daemons.map(({ folder }) => folder)
      const all = async (): Promise<number> =>
        Math.max(...(await Promise.all(daemons.map(async (daemon) => daemon.copy(files.folder)))))
      const took = await all()
      expectCopies(copies, files)
      return files.bytes / 1e6 / took
    },
  })
  const memory = [peakMemory(pushed.root.pid), peakMemory(nginx.pid), peakMemory(filedist.nodes[0]?.pid ?? 0)] as const
  return [
    ...rates(`${name}, pure Node`, values.node, values, { min: 1.5 }),
    ...rates(`${name}, behind nginx`, values.nginx, values, { min: 3 }),
    timesOf(`${name}, behind nginx, of rsync`, values.nginx, values.rsync, { min: 0.95 }),
    ...memories(`${name}, memory of the root`, memory[0], memory[2], bytes),
    ...memories(`${name}, memory of the root and its nginx`, memory[0] + memory[1], memory[2], bytes),
  ]
}

function rates(
  name: string,
  ours: readonly number[],
  { filedist }: { readonly filedist: readonly number[] },
  target: Figure['target'],
): readonly Figure[] {
  const peer = { name: 'nginx.filedist', values: filedist }
  return [{ name, unit: 'MB/s', ours, peer }, timesOf(`${name}, of nginx.filedist`, ours, filedist, target)]
}

function memories(name: string, ours: number, filedist: number, bytes: number): readonly Figure[] {
  const peer = { name: 'nginx.filedist', values: [filedist] }
  return [
    { name, unit: 'MB', ours: [ours], peer },
    timesOf(`${name}, of nginx.filedist`, [ours], [filedist], bytes < LARGE_BYTES ? undefined : { max: 0.2 }),
  ]
}
