import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openTcpProxy, type TcpProxy } from '../test/helpers/tcp-proxy.ts'
import { FILEDIST_PREFIX, startFiledist } from './filedist/start.ts'
import { areInstalled, benchFolder, makeFiles } from './files.ts'
import { type Bench, type Figure, timesOf } from './figure.ts'
import { type Upload, untilThere, upload, uploadOf } from './push-load.ts'
import { signalAll, startPushed } from './push-tree.ts'

const RUNS = 5
const FILES = 4
const BYTES = 25_000_000
const SLOW = 10_000_000
/** How long what was removed may keep servers busy. */
const REST_MS = 500
const TROUBLES = ['none', 'slow', 'hung'] as const

type Trouble = (typeof TROUBLES)[number]

export const bench: Bench = {
  about:
    `${FILES} × 25 MB put over as many connections to a root with two children, one of which is reached at 10 MB/s, or stopped (SIGSTOP): until the client is answered ` +
    '(`?ack=quorum`), and until the healthy child has all of it. Compared with the same where both are healthy, in turn. The peer is nginx.filedist, which answers when all are done.',
  run: async (say) => {
    if (!areInstalled('nginx', 'libnginx-mod-http-lua', 'libnginx-mod-http-echo', 'curl')) {
      say('nginx, its Lua and echo modules and curl are not installed and cannot be: nothing is measured')
      return []
    }
    const folder = benchFolder()
    const source = join(folder, 'source/files')
    makeFiles(source, FILES, BYTES)
    const files = uploadOf(source)
    try {
      const ours = await oursWith(files, join(folder, 'ours'), say)
      const peer = await filedistWith(files, join(folder, 'filedist'), say)
      return TROUBLES.flatMap((trouble) => figuresOf(trouble, ours, peer))
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
}

interface Seconds {
  readonly client: Record<Trouble, number[]>
  readonly healthy: Record<Trouble, number[]>
}

const none = (): Seconds => ({
  client: { none: [], slow: [], hung: [] },
  healthy: { none: [], slow: [], hung: [] },
})

const NAMES = { none: 'both healthy', slow: 'a child at 10 MB/s', hung: 'a child hung' } as const

function figuresOf(trouble: Trouble, ours: Seconds, peer: Seconds): readonly Figure[] {
  const filedist = (values: readonly number[]) => ({ name: 'nginx.filedist', values })
  const name = NAMES[trouble]
  const plain: Figure[] = [
    { name: `client, ${name}`, unit: 's', ours: ours.client[trouble], peer: filedist(peer.client[trouble]) },
    { name: `healthy child, ${name}`, unit: 's', ours: ours.healthy[trouble] },
  ]
  if (trouble === 'none') return plain
  const [client, healthy] = [ours.client, ours.healthy]
  return [
    ...plain,
    timesOf(`client, ${name}, of both healthy`, client[trouble], client.none, { max: 1.25 }),
    timesOf(`healthy child, ${name}, of both healthy`, healthy[trouble], healthy.none, { max: 1.25 }),
  ]
}

interface Under {
  /** Where files are put; with a slash at its end. */
  readonly url: string
  readonly isPeer: boolean
  readonly root: string
  readonly healthy: string
  readonly troubled: string
  readonly pid: number
  readonly wire: TcpProxy
}

async function oursWith(files: Upload, folder: string, say: (line: string) => void): Promise<Seconds> {
  let wire: TcpProxy | undefined
  const wayTo = async (url: string, child: number): Promise<string> => {
    if (child === 1) return url
    wire = await openTcpProxy(url)
    return wire.url
  }
  const pushed = await startPushed({ folder, children: 2, wayTo })
  const [healthy, troubled] = pushed.children
  if (wire === undefined || healthy === undefined || troubled === undefined) throw new Error('there are no children')
  try {
    const folders = { root: pushed.root.folder, healthy: healthy.folder, troubled: troubled.folder }
    return await measured(files, { url: pushed.url, isPeer: false, ...folders, pid: troubled.pid, wire }, say)
  } finally {
    await pushed.stop()
    await wire.close()
  }
}

async function filedistWith(files: Upload, folder: string, say: (line: string) => void): Promise<Seconds> {
  const wires: TcpProxy[] = []
  const filedist = await startFiledist(folder, 2, async (server) => {
    // The second child, which it tells last: the first has everything by then, and is as healthy as can be.
    const wire = await openTcpProxy(`http://${server}`)
    wires.push(wire)
    return new URL(wire.url).host
  })
  const [master, healthy, troubled] = filedist.nodes
  const wire = wires[1]
  if (wire === undefined || master === undefined || healthy === undefined || troubled === undefined)
    throw new Error('there are no children')
  const folders = { root: master.folder, healthy: healthy.folder, troubled: troubled.folder }
  const url = `${filedist.url}${FILEDIST_PREFIX}`
  try {
    return await measured(files, { url, isPeer: true, ...folders, pid: troubled.pid, wire }, say)
  } finally {
    await filedist.stop()
    await Promise.all(wires.map(async (one) => one.close()))
  }
}

async function measured(files: Upload, under: Under, say: (line: string) => void): Promise<Seconds> {
  const seconds = none()
  for (let run = 0; run < RUNS; run++) {
    for (const trouble of TROUBLES) {
      say(`${run + 1}/${RUNS}: ${NAMES[trouble]} …`)
      const { client, healthy } = await once(files, under, { trouble, name: `${trouble}${run}` })
      seconds.client[trouble].push(client)
      seconds.healthy[trouble].push(healthy)
    }
  }
  return seconds
}

async function once(
  files: Upload,
  { url, isPeer, root, healthy, troubled, pid, wire }: Under,
  { trouble, name }: { readonly trouble: Trouble; readonly name: string },
): Promise<{ readonly client: number; readonly healthy: number }> {
  const query = isPeer ? '' : '?ack=quorum'
  if (trouble === 'slow') wire.narrow(SLOW)
  if (trouble === 'hung') signalAll(pid, 'SIGSTOP')
  const arriving = untilThere(join(healthy, name), files.paths)
  const client = await upload(files, `${url}${name}/`, { connections: FILES, query, mayTellErrors: true })
  const arrived = await arriving
  wire.narrow(undefined)
  if (trouble === 'hung') signalAll(pid, 'SIGCONT')
  // What nginx.filedist could not tell a child it does not tell it later either.
  if (!isPeer) await untilThere(join(troubled, name), files.paths)
  for (const folder of [root, healthy, troubled]) rmSync(join(folder, name), { recursive: true, force: true })
  await delay(REST_MS)
  return { client, healthy: arrived }
}
