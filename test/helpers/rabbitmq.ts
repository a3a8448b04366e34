import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Secret } from '../../src/lib/secret.ts'
import type { RealBroker } from './carrier.ts'
import { fixedPorts } from './fixed-port.ts'
import { listens } from './listens.ts'

/** A real RabbitMQ of the system's package, with everything of its own: folder, ports, name daemon, cookie, user. */
export interface Broker extends RealBroker {
  readonly folder: string
  /** `rabbitmqctl`; answers what it printed. */
  ctl(...argv: readonly string[]): Promise<string>
}

export interface BrokerOptions {
  /** Listens with TLS only; paths of PEM files. */
  readonly tls?: { readonly certificate: string; readonly key: string }
}

/** The scripts themselves: those on the PATH change to another user and into another folder. */
const PROGRAMS = '/usr/lib/rabbitmq/bin'
const USER = 'flotilla'
const PASSWORD = 'correct-horse-battery'
const START_MS = 120_000

/** For a set-up before tests that may be skipped. */
export function isBrokerInstalled(): boolean {
  return existsSync(PROGRAMS)
}

export async function startBroker({ tls }: BrokerOptions = {}): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-rabbitmq-'))
  const ports = await fixedPorts(3)
  const [port = 0, , names = 0] = ports
  const env = environment(folder, ports)
  const settings = [...listeners(port, tls), `default_user = ${USER}`, `default_pass = ${PASSWORD}`]
  writeFileSync(join(folder, 'rabbitmq.conf'), `${settings.join('\n')}\n`, { mode: 0o600 })
  writeFileSync(join(folder, 'enabled_plugins'), '[].\n')
  writeFileSync(join(folder, '.erlang.cookie'), randomBytes(16).toString('hex'), { mode: 0o400 })
  for (const each of ['mnesia', 'log']) mkdirSync(join(folder, each))
  // In the foreground: one that the broker starts by itself would outlive it.
  const epmd = spawn('epmd', ['-port', String(names), '-address', '127.0.0.1'], { env, stdio: 'ignore' })
  let server = await startServer(env, folder, port)
  return {
    folder,
    url: `${tls === undefined ? 'amqp' : 'amqps'}://localhost:${port}`,
    user: USER,
    password: new Secret(PASSWORD),
    kill: async () => {
      await killGroup(server)
      while (await listens(port)) await sleep(10)
    },
    restart: async () => {
      server = await startServer(env, folder, port)
    },
    freeze: () => signalGroup(server, 'SIGSTOP'),
    thaw: () => signalGroup(server, 'SIGCONT'),
    ctl: async (...argv) => (await promisify(execFile)(join(PROGRAMS, 'rabbitmqctl'), ['-q', ...argv], { env })).stdout,
    stop: async () => {
      await killGroup(server)
      epmd.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function environment(folder: string, [port = 0, distribution = 0, names = 0]: readonly number[]): NodeJS.ProcessEnv {
  return {
    PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
    LANG: 'C.UTF-8',
    HOME: folder,
    ERL_EPMD_PORT: String(names),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `flotilla${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(folder, 'none.config'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none.sh'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // Erlang's machine in place of the script, as with -detached: then what is killed is the broker itself.
    detached: 'true',
    // Two threads are plenty for a broker that carries hints.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 -kernel inet_dist_use_interface {127,0,0,1}',
  }
}

function listeners(port: number, tls: BrokerOptions['tls']): readonly string[] {
  if (tls === undefined) return [`listeners.tcp.1 = 127.0.0.1:${port}`]
  const { certificate, key } = tls
  const files = [
    `ssl_options.cacertfile = ${certificate}`,
    `ssl_options.certfile = ${certificate}`,
    `ssl_options.keyfile = ${key}`,
  ]
  return ['listeners.tcp = none', `listeners.ssl.1 = 127.0.0.1:${port}`, ...files]
}

/** Its own process group, so that Erlang's machine and its helpers end with the script. */
async function startServer(env: NodeJS.ProcessEnv, folder: string, port: number): Promise<ChildProcess> {
  const child = spawn(join(PROGRAMS, 'rabbitmq-server'), [], { env, cwd: folder, stdio: 'ignore', detached: true })
  // A test run that is ended in the middle leaves no broker behind.
  process.once('exit', () => signalGroup(child, 'SIGKILL'))
  const endMs = Date.now() + START_MS
  while (!(await listens(port))) {
    if (child.exitCode !== null || Date.now() > endMs) throw new Error(`no RabbitMQ came up:\n${logOf(folder)}`)
    await sleep(100)
  }
  return child
}

function signalGroup({ pid, exitCode, signalCode }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, signal)
}

async function killGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'close')
  signalGroup(child, 'SIGKILL')
  await ended
}

function logOf(folder: string): string {
  const log = join(folder, 'log')
  return readdirSync(log)
    .map((name) => readFileSync(join(log, name), 'utf8'))
    .join('\n')
    .slice(-4000)
}
