import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, fragments } from './cluster.ts'
import { type Etcd, startEtcd } from './etcd.ts'
import type { Bench, Figure } from './figure.ts'

const NODES = 50
const CHANGES = 60
const FRAGMENTS = 12
/** Until what a change leaves to do, such as reports, is done. */
const REST_MS = 1000
/** What an operator would script: no check, no compilation, no sync, no report. */
const FOLLOW = `curl -sN -d "$1" "$2/v3/watch" | sed -un 's/.*"value":"\\([^"]*\\)".*/\\1/p' |
while read -r value; do printf %s "$value" | base64 -d > "$3.new" && mv "$3.new" "$3"; done`

export const bench: Bench = {
  about:
    `From asking for a release, whose one changed fragment the hub holds, to the new datasets.xml in its place on ${NODES} ` +
    `nodes, each a process on this one machine, over ${CHANGES} changes. Checking, the hub's commit, fetching, compiling and ` +
    'two synced writes of each node are in it. The peer is etcd with curl and a shell loop in the place of each agent: the ' +
    'file is put whole and moved into place unchecked and unsynced.',
  run: async (say) => {
    const cluster = await Cluster.start()
    const etcd = await startEtcd()
    const followers = etcd === undefined ? undefined : new Followers(etcd)
    if (followers === undefined) say('etcd is not installed and cannot be: there is no peer')
    try {
      await cluster.warm()
      for (let node = 1; node <= NODES; node++) await cluster.addNode(`node${node}`)
      say(`${NODES} agents run`)
      await followers?.start()
      const ours: number[] = []
      const peers: number[] = []
      for (let change = 0; change <= CHANGES; change++) {
        const measured = await release(cluster, change)
        const besides = followers === undefined ? [] : await followers.put(change)
        // With the first release everything is new.
        if (change === 0) continue
        ours.push(...measured)
        peers.push(...besides)
        if (change % 20 === 0) say(`${change} changes`)
      }
      return figures(ours, peers, etcd?.version)
    } finally {
      await followers?.stop()
      await etcd?.stop()
      await cluster.stop()
    }
  },
}

async function release(cluster: Cluster, change: number): Promise<readonly number[]> {
  const files = filesOf(change)
  await cluster.upload(files)
  await delay(REST_MS)
  const askedMs = Date.now()
  await cluster.release(files)
  return await arrivals(
    cluster.nodes.map(({ file }) => file),
    markOf(change),
    askedMs,
  )
}

/** The peer's nodes: each a shell that follows one key of etcd. */
class Followers {
  readonly #etcd: Etcd
  readonly #folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-peer-'))
  readonly #files: string[] = []
  readonly #processes: ChildProcess[] = []

  constructor(etcd: Etcd) {
    this.#etcd = etcd
  }

  async start(): Promise<void> {
    const request = JSON.stringify({ create_request: { key: Buffer.from('datasets.xml').toString('base64') } })
    for (let node = 1; node <= NODES; node++) {
      const file = join(this.#folder, `node${node}.xml`)
      this.#files.push(file)
      // As modest as an agent is: on a busy machine everything else would go before the one and not the other.
      const shell = spawn('nice', ['-n', '10', 'sh', '-c', FOLLOW, 'sh', request, this.#etcd.url, file], {
        stdio: 'ignore',
        detached: true,
      })
      this.#processes.push(shell)
    }
    await delay(2 * REST_MS)
  }

  async put(change: number): Promise<readonly number[]> {
    const text = [...filesOf(change).values()].join('')
    await delay(REST_MS)
    const askedMs = Date.now()
    await this.#etcd.put('datasets.xml', text)
    return await arrivals(this.#files, markOf(change), askedMs)
  }

  async stop(): Promise<void> {
    for (const shell of this.#processes) {
      const ended = once(shell, 'exit')
      // With curl and sed, which are in its group.
      process.kill(-(shell.pid ?? 0))
      await ended
    }
    rmSync(this.#folder, { recursive: true })
  }
}

function filesOf(change: number): ReadonlyMap<string, string> {
  return fragments(FRAGMENTS, (index) => (index === change % FRAGMENTS ? `change ${change}` : 'as it was'))
}

const markOf = (change: number): string => `change ${change}<`

/** For each file, how many ms after `sinceMs` the one with the mark was put in its place. */
async function arrivals(files: readonly string[], mark: string, sinceMs: number): Promise<readonly number[]> {
  const waiting = new Set(files)
  const delays: number[] = []
  while (waiting.size > 0) {
    await delay(20)
    for (const file of waiting) {
      const atMs = arrivedAtMs(file, mark)
      if (atMs === undefined) continue
      delays.push(Math.max(0, atMs - sinceMs))
      waiting.delete(file)
    }
  }
  return delays
}

/** A rename sets the time at which the inode changed. */
function arrivedAtMs(file: string, mark: string): number | undefined {
  try {
    return readFileSync(file, 'utf8').includes(mark) ? statSync(file).ctimeMs : undefined
  } catch {
    return undefined
  }
}

function figures(ours: readonly number[], peers: readonly number[], version: string | undefined): readonly Figure[] {
  const figure = (name: string, share: number, max: number): Figure => ({
    name: `commit to applied, ${name}`,
    unit: 'ms',
    ours: [quantile(ours, share)],
    target: { max },
    ...(peers.length > 0 && { peer: { name: `etcd ${version}, curl, sh`, values: [quantile(peers, share)] } }),
  })
  return [figure('p50', 0.5, 150), figure('p99', 0.99, 500)]
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(share * (values.length - 1))] ?? Number.NaN
}
