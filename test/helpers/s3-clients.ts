import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, type AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { selfSigned } from './self-signed.ts'

/** Keys that programs are known to get wrong. */
export const ODD_KEYS = [
  'plain.txt',
  'two words.txt',
  'a+b=c&d.txt',
  'percent%2Fslash%20.txt',
  'grüße/東京/🌊.txt',
  'quotes\'and"<>.txt',
  'semi;colon,comma@at~tilde.txt',
] as const

/** Keys that are no paths, which only some clients can say. */
export const KEYS_OF_NO_PATH = ['/leading.txt', 'a//b.txt', 'up/../down.txt', './here.txt', 'x/.', 'x/..'] as const

/** The longest that S3 has; no part of it is longer than a file's name may be. */
export const LONGEST_KEY = 'long/'.padEnd(1024, `${'k'.repeat(200)}/`).replace(/\/$/, 'k')

/** Bytes that do not repeat within a part, and are the same each time. */
export function noise(bytes: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4))
  let state = seed
  for (let at = 0; at < words.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    words[at] = state
  }
  return Buffer.from(words.buffer, 0, bytes)
}

export function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

/** What the caller has set up for their own cloud must not get in. */
const CLEAN = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(?:AWS_|RCLONE_|https?_proxy$|all_proxy$)/i.test(name)),
)

export interface ClientOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
}

/** Runs a client to its end; answers what it printed, rejects with everything it said when it failed. */
export async function runClient(program: string, args: readonly string[], options: ClientOptions): Promise<string> {
  const { cwd, input } = options
  const env = { ...CLEAN, HOME: cwd, NO_PROXY: '127.0.0.1', AWS_EC2_METADATA_DISABLED: 'true', ...options.env }
  return await new Promise((resolve, reject) => {
    const child = execFile(program, args, { cwd, env, maxBuffer: 1e8 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${program} ${args.join(' ')} (${error.code}):\n${stdout}\n${stderr}`))
    })
    child.stdin?.end(input)
  })
}

export interface TlsFront {
  readonly url: string
  /** Of the authority that clients have to trust. */
  readonly certificate: string
  close(): Promise<void>
}

/** Ends TLS and hands every byte on, as a proxy in front does. */
export async function openTlsFront(target: string, folder: string): Promise<TlsFront> {
  const { key, certificate } = selfSigned(folder)
  const { port } = new URL(target)
  const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (client) => {
    const upstream = connect(Number(port), '127.0.0.1')
    client.pipe(upstream).pipe(client)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => undefined)
      one.on('close', () => other.destroy())
    }
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    certificate,
    close: async () => await new Promise((resolve) => server.close(() => resolve())),
  }
}
