import { Secret } from '../src/lib/secret.ts'
import { openRemoteStore } from '../src/store/remote/remote-store.ts'
import { Cluster } from './cluster.ts'
import { type Etcd, startEtcd } from './etcd.ts'
import { type Bench, type Figure, inTurn } from './figure.ts'
import { requestsPerSecond } from './http-load.ts'

const RUNS = 5
const RUN_MS = 1500
const CONNECTIONS = 64
const VALUE = 'x'.repeat(200)
const KEYS = 50

const keyOf = (connection: number, turn: number): string => `node/n${connection}/${turn % KEYS}`
const base64 = (text: string): string => Buffer.from(text).toString('base64')

export const bench: Bench = {
  about:
    `Durable commits over the hub's HTTP API, SQLite behind it: ${CONNECTIONS} connections that each wait for their ` +
    `answer, values of ${VALUE.length} bytes, server and load on one machine. The peer is a single etcd over its HTTP gateway.`,
  run: async (say) => {
    const cluster = await Cluster.start()
    const etcd = await startEtcd()
    if (etcd === undefined) say('etcd is not installed and cannot be: its figure is left out')
    try {
      const { token } = await cluster.client.createToken({ label: 'bench', scopes: ['read:node/', 'write:node/'] })
      const url = cluster.client.url
      say('requests as they are …')
      const figures = [await overHttp(url, token, etcd)]
      say('through the client …')
      figures.push(await throughClient(url, token))
      return figures
    } finally {
      await etcd?.stop()
      await cluster.stop()
    }
  },
}

async function overHttp(url: string, token: string, etcd: Etcd | undefined): Promise<Figure> {
  const load = { connections: CONNECTIONS, ms: RUN_MS }
  const ours = (): Promise<number> =>
    requestsPerSecond({
      ...load,
      url,
      path: '/v1/store/commit',
      headers: { authorization: `Bearer ${token}` },
      body: (connection, turn) =>
        JSON.stringify({ changes: [{ op: 'put', key: keyOf(connection, turn), value: VALUE }] }),
    })
  const peer = (): Promise<number> =>
    requestsPerSecond({
      ...load,
      url: etcd?.url ?? '',
      path: '/v3/kv/put',
      body: (connection, turn) => JSON.stringify({ key: base64(keyOf(connection, turn)), value: base64(VALUE) }),
    })
  const values = await inTurn(RUNS, ours, etcd === undefined ? async () => Number.NaN : peer)
  return {
    name: 'durable commits over HTTP',
    unit: '/s',
    ours: values.ours,
    ...(etcd !== undefined && { peer: { name: `etcd ${etcd.version}`, values: values.peer } }),
    target: { min: 5000 },
  }
}

/** As agents do it: the store's contract in this process, each commit a request. */
async function throughClient(url: string, token: string): Promise<Figure> {
  const store = openRemoteStore({ url, token: new Secret(token) })
  const ours: number[] = []
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now()
    let count = 0
    const writer = async (_: unknown, connection: number): Promise<void> => {
      for (let turn = 0; performance.now() < started + RUN_MS; turn++) {
        await store.commit({ changes: [{ op: 'put', key: keyOf(connection, turn), value: VALUE }] })
        count += 1
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, writer))
    ours.push(count / ((performance.now() - started) / 1000))
  }
  await store.close()
  return { name: 'the same through the remote store, its client in one process', unit: '/s', ours }
}
