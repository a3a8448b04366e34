import { Cluster } from './cluster.ts'
import { type Etcd, startEtcd } from './etcd.ts'
import { type Bench, type Figure, inTurn, timesOf } from './figure.ts'
import { askedFor, type HttpLoad } from './http-load.ts'

const RUNS = 5
const RUN_MS = 1000
/** Not counted: what a server that just started does first is no measure of one that is in use. */
const WARM_MS = 500
const CLIENTS = [1, 16, 64]
const VALUE = 'x'.repeat(200)

/** With keys that nobody used before. */
type NewLoad = () => Pick<HttpLoad, 'url' | 'path' | 'headers' | 'body'>
type Measured = Awaited<ReturnType<typeof askedFor>>

export const bench: Bench = {
  about:
    'Compare-and-set, durable, over HTTP: every client counts up its own key, each time expecting the revision that it was told ' +
    `last; values of ${VALUE.length} bytes, servers and load on one machine, all on one disk. The peer is a single etcd over its ` +
    'HTTP gateway; then the hub has that etcd as its store, and stands between it and the clients. A count of a profile is ' +
    'incremented by one request, with its history; etcd has no such thing, and has the same peer.',
  run: async (say) => {
    const etcd = await startEtcd()
    const embedded = await Cluster.start()
    const onEtcd = etcd && (await Cluster.start('--store', `etcd://${new URL(etcd.url).host}`))
    try {
      const figures: Figure[] = []
      for (const clients of CLIENTS) {
        say(`${clients} clients …`)
        figures.push(...(await compared(clients, 'embedded', await ofHub(embedded), etcd, { rate: 2, p99: 1 })))
        figures.push(...(await compared(clients, 'increment of a profile', await ofProfiles(embedded), etcd, {})))
        if (onEtcd !== undefined)
          figures.push(...(await compared(clients, 'hub on etcd', await ofHub(onEtcd), etcd, { rate: 0.7 })))
      }
      return figures
    } finally {
      await onEtcd?.stop()
      await embedded.stop()
      await etcd?.stop()
    }
  },
}

async function compared(
  clients: number,
  what: string,
  ours: NewLoad,
  etcd: Etcd | undefined,
  least: { readonly rate?: number; readonly p99?: number },
): Promise<readonly Figure[]> {
  const p99 = { ours: [] as number[], peer: [] as number[] }
  const measure = async (load: NewLoad, waits: number[]): Promise<number> => {
    await askedFor({ ...load(), connections: clients, ms: waits.length === 0 ? WARM_MS : 0 })
    const { perSecond, p99Ms }: Measured = await askedFor({ ...load(), connections: clients, ms: RUN_MS })
    waits.push(p99Ms)
    return perSecond
  }
  const peer = etcd === undefined ? undefined : ofEtcd(etcd)
  const rates = await inTurn(
    RUNS,
    async () => await measure(ours, p99.ours),
    async () => (peer === undefined ? Number.NaN : await measure(peer, p99.peer)),
  )
  const by = (values: readonly number[]) =>
    etcd === undefined ? {} : { peer: { name: `etcd ${etcd.version}`, values } }
  return [
    { name: `${what}, ${clients} clients`, unit: '/s', ours: rates.ours, ...by(rates.peer) },
    ...(etcd === undefined
      ? []
      : [
          timesOf(
            `${what}, ${clients} clients, times etcd's`,
            rates.ours,
            rates.peer,
            least.rate === undefined ? undefined : { min: least.rate },
          ),
        ]),
    { name: `${what}, ${clients} clients, p99`, unit: 'ms', ours: p99.ours, ...by(p99.peer) },
    ...(etcd === undefined || least.p99 === undefined
      ? []
      : [timesOf(`${what}, ${clients} clients, p99 times etcd's`, p99.ours, p99.peer, { max: least.p99 })]),
  ]
}

async function ofHub({ client }: Cluster): Promise<NewLoad> {
  const { token } = await client.createToken({ label: 'bench', scopes: ['read:node/', 'write:node/'] })
  return () => ({
    url: client.url,
    path: '/v1/store/commit',
    headers: { authorization: `Bearer ${token}` },
    body: startingAt('node', /"revision":(\d+)/, (key, revision) =>
      JSON.stringify({ expect: [{ key, revision }], changes: [{ op: 'put', key, value: VALUE }] }),
    ),
  })
}

/** Every client its own. */
async function ofProfiles({ client, adminToken }: Cluster): Promise<NewLoad> {
  const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
  const names = Array.from({ length: Math.max(...CLIENTS) }, (_, index) => `p${index}`)
  for (const name of names) {
    const body = JSON.stringify({ name, params: { text: VALUE } })
    await fetch(new URL('/v1/profiles', client.url), { method: 'POST', headers, body })
  }
  return () => ({
    url: client.url,
    path: (connection) => `/v1/profiles/p${connection}/params/count`,
    headers,
    body: (_connection, turn, answer) => {
      if (turn > 0 && !answer.includes('"changed":true')) throw new Error(`not counted: ${answer}`)
      return '{"op":"increment"}'
    },
  })
}

function ofEtcd({ url }: Etcd): NewLoad {
  const value = base64(VALUE)
  return () => ({
    url,
    path: '/v3/kv/txn',
    body: startingAt('direct', /"revision":"(\d+)"/, (text, revision) => {
      const key = base64(text)
      return JSON.stringify({
        compare: [{ key, target: 'MOD', modRevision: revision }],
        success: [{ requestPut: { key, value } }],
        failure: [{ requestRange: { key, keysOnly: true } }],
      })
    }),
  })
}

let runs = 0

/** Bodies for keys of their own in every run. Throws when an answer is not that of a race won. */
function startingAt(
  root: string,
  revisionIn: RegExp,
  bodyOf: (key: string, revision: number) => string,
): HttpLoad['body'] {
  const run = ++runs
  return (connection, turn, answer) => {
    if (turn > 0 && !/"(committed|succeeded)":true/.test(answer)) throw new Error(`not committed: ${answer}`)
    return bodyOf(`${root}/n${connection}/${run}`, turn === 0 ? 0 : Number(revisionIn.exec(answer)?.[1]))
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
