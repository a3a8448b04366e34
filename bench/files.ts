import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fixedPort } from '../test/helpers/fixed-port.ts'

/** The disk's own noise hides everything else, so trees lie in memory where the system has such a folder. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : '/tmp'
const REPOSITORY = join(import.meta.dirname, '..')
const PROGRAM = join(REPOSITORY, 'flotilla')
const PER_FOLDER = 91
const TREE = 'tree'
const KEY = { id: 'bench', secret: 'bench-secret-of-no-use' }

export function benchFolder(): string {
  return mkdtempSync(join(MEMORY, 'flotilla-bench-'))
}

/** Files of random bytes, `PER_FOLDER` in each folder. */
export function makeFiles(folder: string, count: number, bytes: number): void {
  // Not all the same, so that nothing can be saved by comparing.
  const block = Buffer.alloc(bytes)
  for (let index = 0; index < count; index++) {
    const sub = join(folder, `d${Math.floor(index / PER_FOLDER)}`)
    if (index % PER_FOLDER === 0) mkdirSync(sub, { recursive: true })
    for (let at = 0; at < bytes; at += 1024) block.writeUInt32LE((index * 2654435761 + at) >>> 0, at)
    writeFileSync(join(sub, `f${index}.bin`), block)
  }
}

/** Runs a program to its end; answers the seconds it took. Rejects with what it said when it failed. */
export async function seconds(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number> {
  const began = performance.now()
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${said}`)
  return (performance.now() - began) / 1000
}

/** The command line of Flotilla, started as people start it. */
export function flotilla(...args: readonly string[]): readonly [string, readonly string[]] {
  return ['sh', [PROGRAM, ...args]]
}

export interface Served {
  /** Of the tree, for `flotilla sync --from`. */
  readonly url: string
  /** The same as any S3 service would be named, so that nothing but S3 is spoken. */
  readonly s3: string
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

/** A file service over one folder, once it knows every file. */
export async function serveFiles(folder: string, state: string, files: number): Promise<Served> {
  const port = await fixedPort()
  const keys = join(state, 'keys')
  mkdirSync(state, { recursive: true })
  writeFileSync(keys, `${KEY.id}:${KEY.secret}\n`, { mode: 0o600 })
  const address = `127.0.0.1:${port}`
  const options = ['--tree', `${TREE}=${folder}`, '--listen', address, '--state', state]
  const [program, args] = flotilla('files', 'serve', ...options, '--s3-credentials', keys, '--open-reads')
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const url = `http://${address}/${TREE}`
  await untilListed(url, files)
  return {
    url,
    s3: `s3://${KEY.id}:${KEY.secret}@${address}/${TREE}/`,
    port,
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function untilListed(url: string, files: number): Promise<void> {
  const began = Date.now()
  for (;;) {
    const known = await count(url).catch(() => -1)
    if (known >= files) return
    if (Date.now() - began > 120_000) throw new Error(`${url} lists ${known} of ${files} files`)
    await delay(100)
  }
}

async function count(url: string): Promise<number> {
  let total = 0
  for (let token = ''; ;) {
    const answer = await fetch(
      `${url}?list-type=2${token === '' ? '' : `&continuation-token=${encodeURIComponent(token)}`}`,
    )
    const text = await answer.text()
    if (!answer.ok) throw new Error(text)
    total += text.split('<Contents>').length - 1
    token = /<NextContinuationToken>([^<]*)</.exec(text)?.[1] ?? ''
    if (token === '') return total
  }
}

/** rclone's view of a bucket of ours: `args` with `REMOTE` in place of the source. */
export async function rclone(url: string, args: readonly string[]): Promise<number> {
  const { origin } = new URL(url)
  const env = {
    RCLONE_CONFIG: '/dev/null',
    RCLONE_CONFIG_PEER_TYPE: 's3',
    RCLONE_CONFIG_PEER_PROVIDER: 'Other',
    RCLONE_CONFIG_PEER_ENDPOINT: origin,
    RCLONE_CONFIG_PEER_ACCESS_KEY_ID: KEY.id,
    RCLONE_CONFIG_PEER_SECRET_ACCESS_KEY: KEY.secret,
    AWS_CA_BUNDLE: undefined,
    HTTP_PROXY: undefined,
    http_proxy: undefined,
    NO_PROXY: '127.0.0.1',
  }
  return await seconds(
    'rclone',
    args.map((arg) => (arg === 'REMOTE' ? `peer:${TREE}` : arg)),
    env,
  )
}

export interface Way {
  readonly url: string
  /** What the server has sent on it. */
  bytes(): number
  close(): void
}

/** A way to the server on which what it sends is counted. What clients say arrives `ms` later, as over a long way. */
export async function openWay(url: string, ms = 0): Promise<Way> {
  const { port, pathname } = new URL(url)
  let bytes = 0
  const server = createServer((client) => {
    client.setNoDelay(true)
    const upstream = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
    client.on('data', (chunk) => void setTimeout(() => upstream.write(chunk), ms))
    client.on('end', () => void setTimeout(() => upstream.end(), ms))
    upstream.on('data', (chunk: Buffer) => (bytes += chunk.byteLength))
    upstream.pipe(client)
    for (const socket of [client, upstream]) socket.on('error', () => undefined)
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const own = (server.address() as AddressInfo).port
  return { url: `http://127.0.0.1:${own}${pathname}`, bytes: () => bytes, close: () => server.close() }
}

/** Installs programs of Debian that are missing; false where that cannot be done. */
export function areInstalled(...packages: readonly string[]): boolean {
  try {
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export function emptied(folder: string): string {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  return folder
}
