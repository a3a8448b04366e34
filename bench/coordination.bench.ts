import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from './cluster.ts'
import type { Bench, Figure } from './figure.ts'
import { KeptConnection } from './kept-connections.ts'

const RUNS = 9
const CONTENDERS = 64
const MEMBERS = 16
const WATCHERS = 1000
const WATCHED_RUNS = 5
const IDLE = 5000
/** In which all that was asked for waits. */
const SETTLED_MS = 2000
type Opener = (count: number) => Promise<readonly KeptConnection[]>

const SCOPES = ['read:profile/', 'write:profile/', 'write:elect/']

export const bench: Bench = {
  about:
    `One hub over SQLite, clients of one process that are connected before. ${CONTENDERS} ask for one leadership at the same moment, a request ` +
    `each, until the last knows how it stands; ${MEMBERS} put themselves on one list; a param is set for which ${WATCHERS} wait. ` +
    "Digital Rebar's loop took 14.1 s for 16 members of one list.",
  run: async (say) => {
    const figures = await withOneHub(say)
    say('idle watchers …')
    return [...figures, await idle()]
  },
}

async function withOneHub(say: (line: string) => void): Promise<readonly Figure[]> {
  const cluster = await Cluster.start()
  try {
    const { token } = await cluster.client.createToken({ label: 'bench', scopes: SCOPES })
    const { url } = cluster.client
    const open: Opener = async (count) => KeptConnection.openAll(url, token, count)
    const [first] = await open(1)
    await first?.ask({ method: 'POST', path: '/v1/profiles', body: { name: 'shared', params: { turn: 0 } } })
    say('leadership …')
    const figures: Figure[] = [await leadership(await open(CONTENDERS))]
    say('one list …')
    figures.push(await oneList(await open(MEMBERS)))
    for (const [how, path] of WAYS) {
      say(`${how} …`)
      figures.push(...(await watchers(how, path, open)))
    }
    return figures
  } finally {
    await cluster.stop()
  }
}

const WAYS = [
  ['waits', 'wait'],
  ['server-sent events', 'wait/events'],
] as const

async function leadership(clients: readonly KeptConnection[]): Promise<Figure> {
  const ours = await timed(async (run) => {
    const answers = await Promise.all(
      clients.map(async (client, who) =>
        client.ask({
          method: 'POST',
          path: `/v1/elections/e${run}/campaign`,
          body: { who: `c${who}`, ttlMs: 60_000 },
        }),
      ),
    )
    const leaders = answers.filter((answer) => (JSON.parse(answer) as { readonly holds: boolean }).holds)
    if (leaders.length !== 1) throw new Error(`${leaders.length} lead`)
  })
  closeAll(clients)
  return { name: `${CONTENDERS} contenders for one leadership, a request each`, unit: 'ms', ours, target: { max: 100 } }
}

async function oneList(clients: readonly KeptConnection[]): Promise<Figure> {
  const ours = await timed(async (run) => {
    const answers = await Promise.all(
      clients.map(async (client, who) =>
        client.ask({
          method: 'POST',
          path: `/v1/profiles/shared/params/members${run}`,
          body: { op: 'append', value: `m${who}` },
        }),
      ),
    )
    const longest = Math.max(
      ...answers.map((answer) => (JSON.parse(answer) as { readonly value: unknown[] }).value.length),
    )
    if (longest !== MEMBERS) throw new Error(`the list has ${longest}`)
  })
  closeAll(clients)
  return { name: `${MEMBERS} members put on one list, a request each`, unit: 'ms', ours, target: { max: 100 } }
}

/** Until all have their answers; the first time, for which nothing is compiled yet, does not count. */
async function timed(work: (run: number) => Promise<void>): Promise<readonly number[]> {
  const values: number[] = []
  for (let run = 0; run <= RUNS; run++) {
    const started = performance.now()
    await work(run)
    values.push(performance.now() - started)
  }
  return values.slice(1)
}

async function watchers(how: string, path: string, open: Opener): Promise<readonly Figure[]> {
  const [p50, p99]: [number[], number[]] = [[], []]
  const [writer] = await open(1)
  for (let run = 0; run <= WATCHED_RUNS; run++) {
    const wanted = `${how} ${run}`
    const query = `param=turn&equals=${encodeURIComponent(JSON.stringify(wanted))}&waitMs=60000`
    // Events end their connection.
    const waiting = await open(WATCHERS)
    const told = waiting.map(async (client) => {
      client.send({ method: 'GET', path: `/v1/profiles/shared/${path}?${query}` })
      await client.until((received) => (received.includes('"met":true') ? true : undefined))
      return performance.now()
    })
    await delay(SETTLED_MS)
    const setMs = performance.now()
    await writer?.ask({ method: 'PUT', path: '/v1/profiles/shared/params/turn', body: { value: wanted } })
    const latencies = (await Promise.all(told)).map((atMs) => atMs - setMs).toSorted((one, other) => one - other)
    p50.push(latencies[Math.floor(WATCHERS / 2)] ?? NaN)
    p99.push(latencies[Math.floor(WATCHERS * 0.99)] ?? NaN)
    closeAll(waiting)
  }
  return [
    { name: `set until ${WATCHERS} ${how} are told, p50`, unit: 'ms', ours: p50.slice(1) },
    { name: `set until ${WATCHERS} ${how} are told, p99`, unit: 'ms', ours: p99.slice(1), target: { max: 250 } },
  ]
}

/** Of a hub that has done nothing else, started as `./flotilla` starts it. */
async function idle(): Promise<Figure> {
  const cluster = await Cluster.start()
  try {
    const clients = await KeptConnection.openAll(cluster.client.url, cluster.adminToken, IDLE)
    const path = '/v1/profiles/shared/wait?param=never&exists=true&waitMs=200000'
    for (const client of clients) client.send({ method: 'GET', path })
    await delay(5 * SETTLED_MS)
    const ours = [rssOf(cluster.hubPid)]
    closeAll(clients)
    return { name: `memory of the hub, ${IDLE} waiting`, unit: 'MB', ours, target: { max: 200 } }
  } finally {
    await cluster.stop()
  }
}

function rssOf(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kib) * 1024) / 1e6
}

function closeAll(clients: readonly KeptConnection[]): void {
  for (const client of clients) client.close()
}
