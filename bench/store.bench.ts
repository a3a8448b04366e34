import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../src/lib/system-clock.ts'
import { openSqliteStore } from '../src/store/sqlite/sqlite-store.ts'
import { type Etcd, startEtcd } from './etcd.ts'
import { type Bench, type Figure, inTurn } from './figure.ts'

const RUNS = 5
const RUN_MS = 1500
const WRITERS = 64
const VALUE = 'x'.repeat(200)
const PLAIN = 'node:sqlite, one transaction a commit'

export const bench: Bench = {
  about:
    `The SQLite store in process: ${WRITERS} writers that each wait for their answer, values of ${VALUE.length} bytes. ` +
    'The peer node:sqlite has the same journal and the same syncs; etcd, a single node, answers over its HTTP gateway.',
  run: async (say) => {
    const figures = [await commits(say), await syncs(say), await reads(say)]
    const etcd = await startEtcd()
    if (etcd === undefined) say('etcd is not installed and cannot be: that figure is left out')
    else figures.push(await besideEtcd(etcd, say))
    return figures.filter((figure) => figure !== undefined)
  },
}

interface Writing {
  commit(key: string): Promise<unknown>
  read(key: string): Promise<unknown>
  close(): Promise<unknown>
}

async function ours(path: string): Promise<Writing> {
  const store = await openSqliteStore({ path, clock: systemClock })
  return {
    commit: (key) => store.commit({ changes: [{ op: 'put', key, value: VALUE }] }),
    read: (key) => store.get(key),
    close: () => store.close(),
  }
}

/** What one would write first: a table, a transaction for each commit, the disk synced each time. */
async function plain(path: string): Promise<Writing> {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec('CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL) STRICT')
  const put = database.prepare('INSERT OR REPLACE INTO entries (key, value, revision) VALUES (?, ?, ?)')
  const get = database.prepare('SELECT key, value, revision FROM entries WHERE key = ?')
  let revision = 0
  return {
    commit: async (key) => {
      put.run(key, VALUE, ++revision)
      // Like a server, which reads its next requests between its answers.
      await turn()
    },
    read: async (key) => get.get(key),
    close: async () => database.close(),
  }
}

async function commits(say: (line: string) => void): Promise<Figure> {
  say('durable commits …')
  const { ours: values, peer } = await inTurn(
    RUNS,
    () => perSecond(ours),
    () => perSecond(plain),
  )
  return {
    name: `durable commits, ${WRITERS} writers`,
    unit: '/s',
    ours: values,
    peer: { name: PLAIN, values: peer },
    target: { min: 10_000 },
  }
}

async function besideEtcd(etcd: Etcd, say: (line: string) => void): Promise<Figure> {
  say(`durable commits beside etcd ${etcd.version} …`)
  const peer: Writing = {
    commit: (key) => etcd.put(key, VALUE),
    read: async () => undefined,
    close: async () => undefined,
  }
  try {
    const values = await inTurn(
      RUNS,
      () => perSecond(ours),
      () => perSecond(async () => peer),
    )
    return {
      name: `durable commits, ${WRITERS} writers, ours in process`,
      unit: '/s',
      ours: values.ours,
      peer: { name: `etcd ${etcd.version} over HTTP`, values: values.peer },
    }
  } finally {
    await etcd.stop()
  }
}

async function syncs(say: (line: string) => void): Promise<Figure | undefined> {
  say('commits a sync …')
  const [mine, peer] = [await commitsPerSync(ours), await commitsPerSync(plain)]
  if (mine === undefined || peer === undefined) {
    say('strace is not installed or may not look: that figure is left out')
    return undefined
  }
  return { name: 'commits a sync of the disk', unit: '', ours: [mine], peer: { name: PLAIN, values: [peer] } }
}

async function reads(say: (line: string) => void): Promise<Figure> {
  say('reads …')
  const { ours: values, peer } = await inTurn(
    RUNS,
    () => readsPerSecond(ours),
    () => readsPerSecond(plain),
  )
  return {
    name: 'reads in process',
    unit: '/s',
    ours: values,
    peer: { name: 'node:sqlite', values: peer },
    target: { min: 100_000 },
  }
}

async function perSecond(open: (path: string) => Promise<Writing>): Promise<number> {
  return await withStore(open, async (store) => {
    const started = performance.now()
    const count = await write(store, started + RUN_MS)
    return count / ((performance.now() - started) / 1000)
  })
}

/** How many commits were answered until `end`. */
async function write(store: Writing, end: number): Promise<number> {
  let count = 0
  const writer = async (_: unknown, writer: number): Promise<void> => {
    for (let at = 0; performance.now() < end; at++) {
      await store.commit(`node/n${writer}/${at % 50}`)
      count++
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
  return count
}

async function readsPerSecond(open: (path: string) => Promise<Writing>): Promise<number> {
  return await withStore(open, async (store) => {
    await Promise.all(Array.from({ length: 1000 }, (_, at) => store.commit(`k/${at}`)))
    const started = performance.now()
    let count = 0
    while (performance.now() < started + RUN_MS / 2) {
      for (let at = 0; at < 1000; at++) await store.read(`k/${at}`)
      count += 1000
    }
    return count / ((performance.now() - started) / 1000)
  })
}

/** Lets strace, which slows everything down, count the syncs of this process. Undefined where it cannot. */
async function commitsPerSync(open: (path: string) => Promise<Writing>): Promise<number | undefined> {
  return await withStore(open, async (store, folder) => {
    const log = join(folder, 'syncs')
    const strace = spawn('strace', ['-f', '-e', 'trace=fsync,fdatasync', '-o', log, '-p', String(process.pid)])
    const exited = once(strace, 'exit').then(
      () => false,
      () => false,
    )
    const attached = await Promise.race([
      once(strace.stderr, 'data').then(([text]) => String(text).includes('attached')),
      exited,
    ])
    if (!attached) return undefined
    const commits = await write(store, performance.now() + RUN_MS)
    strace.kill('SIGINT')
    await exited
    return commits / (readFileSync(log, 'utf8').match(/sync\(/g)?.length ?? 0)
  })
}

async function withStore<T>(
  open: (path: string) => Promise<Writing>,
  work: (store: Writing, folder: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-'))
  const store = await open(join(folder, 'store.db'))
  try {
    return await work(store, folder)
  } finally {
    await store.close()
    rmSync(folder, { recursive: true })
  }
}
