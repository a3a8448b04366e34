import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { systemClock } from '../../src/lib/system-clock.ts'
import { API } from '../../src/store/etcd/api.ts'
import { EtcdClient } from '../../src/store/etcd/etcd-client.ts'
import { fixedPorts } from './fixed-port.ts'

/** A real etcd of the system's package, of one member or several, with a folder and ports of its own. */
export interface EtcdCluster {
  /** `etcd://127.0.0.1:…,127.0.0.1:…` */
  readonly url: string
  readonly members: readonly EtcdMember[]
  /** The member that leads. Waits until there is one, and not one of `but`. */
  leader(...but: readonly EtcdMember[]): Promise<EtcdMember>
  stop(): Promise<void>
}

export interface EtcdMember {
  readonly port: number
  /** As if its plug were pulled. */
  kill(): Promise<void>
  /** After `kill`, with what it had. Resolves when it takes part again. */
  restart(): Promise<void>
  /** Its connections stay open, and nobody answers. */
  freeze(): void
  thaw(): void
  /** Undefined while it does not answer. */
  status(): Promise<MemberStatus | undefined>
}

interface MemberStatus {
  readonly hasLeader: boolean
  readonly isLeader: boolean
}

export interface EtcdOptions {
  readonly members?: number
  /** `--max-txn-ops=1024` */
  readonly flags?: readonly string[]
  /** Speaks TLS to clients only: paths of PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string }
}

/** What the store's contract needs where it goes beyond what etcd takes unless told. */
export const CONTRACT_FLAGS = ['--max-txn-ops=1024', '--max-request-bytes=8388608']
const START_MS = 30_000

export async function startEtcd({ members: count = 1, flags = [], tls }: EtcdOptions = {}): Promise<EtcdCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-etcd-'))
  const ports = await fixedPorts(2 * count)
  const places = Array.from({ length: count }, (_, index) => {
    const [port = 0, peer = 0] = ports.slice(2 * index)
    return { name: `m${index}`, port, peer }
  })
  const initial = places.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(',')
  const scheme = tls === undefined ? 'http' : 'https'
  const members = places.map(({ name, port, peer }) => {
    const client = `${scheme}://127.0.0.1:${port}`
    const argv = [
      `--name=${name}`,
      `--data-dir=${join(folder, name)}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=${initial}`,
      '--log-level=error',
      ...(tls === undefined ? [] : [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`, `--trusted-ca-file=${tls.ca}`]),
      ...flags,
    ]
    return new Member(port, argv)
  })
  const leader = async (...but: readonly EtcdMember[]): Promise<EtcdMember> =>
    await until(async () => {
      for (const member of members) {
        if (!but.includes(member) && (await member.status())?.isLeader === true) return member
      }
      return undefined
    })
  for (const member of members) member.start()
  if (tls === undefined) await leader()
  return {
    url: `${tls === undefined ? 'etcd' : 'etcds'}://${places.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    members,
    leader,
    stop: async () => {
      await Promise.all(members.map((member) => member.kill()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

class Member implements EtcdMember {
  readonly port: number
  readonly #argv: readonly string[]
  #process: ChildProcess | undefined

  constructor(port: number, argv: readonly string[]) {
    this.port = port
    this.#argv = argv
  }

  start(): void {
    const child = spawn('etcd', this.#argv, { stdio: 'ignore', env: { PATH: process.env['PATH'], GOMAXPROCS: '2' } })
    this.#process = child
    // A test run that is ended in the middle leaves nothing behind.
    const end = (): void => void child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
  }

  async kill(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  async restart(): Promise<void> {
    this.start()
    await until(async () => ((await this.status())?.hasLeader === true ? this : undefined))
  }

  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async status(): Promise<MemberStatus | undefined> {
    const client = new EtcdClient({ endpoints: [`http://127.0.0.1:${this.port}`], tls: {}, clock: systemClock })
    const late = AbortSignal.timeout(1000)
    try {
      const { leader, header } = await client.call(API.status, {}, { signal: late, isRepeatable: false })
      return { hasLeader: leader !== '0', isLeader: leader !== '0' && leader === header?.memberId }
    } catch {
      return undefined
    } finally {
      await client.close()
    }
  }
}

/** `etcdctl`; answers what it printed. */
export async function etcdctl(cluster: EtcdCluster, ...argv: readonly string[]): Promise<string> {
  const endpoints = cluster.members.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const env = { ...process.env, ETCDCTL_API: '3' }
  return (await promisify(execFile)('etcdctl', [`--endpoints=${endpoints}`, ...argv], { env })).stdout
}

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + START_MS
  while (performance.now() < endMs) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(50)
  }
  throw new Error('etcd did not come up')
}
