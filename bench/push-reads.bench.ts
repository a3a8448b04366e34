import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fixedPort } from '../test/helpers/fixed-port.ts'
import { areInstalled, benchFolder, makeFiles } from './files.ts'
import { allInTurn, type Bench, timesOf } from './figure.ts'
import { type Upload, upload, uploadOf } from './push-load.ts'
import { PUSH_TREE, type Pushed, signalAll, startPushed } from './push-tree.ts'

const RUNS = 7
const SECONDS = 4
const CONNECTIONS = 8
const READ = { count: 500, bytes: 100_000 }
const WRITTEN = { count: 1200, bytes: 1_000_000 }
/** Of the cap that there is by default, 20 MiB a second. Less than this under way would prove nothing. */
const LEAST_MB_S = 12

export const bench: Bench = {
  about:
    `Files of 100 KB, read by wrk over ${CONNECTIONS} connections from nginx on the folder of a child, while that child is brought up to date with files of 1 MB by its root ` +
    'at the rate that is capped by default; root, child, nginx and wrk share the processors. Compared with the same while root and child are stopped (SIGSTOP), in turn.',
  run: async (say) => {
    if (!areInstalled('nginx', 'wrk', 'curl')) {
      say('nginx, wrk and curl are not installed and cannot be: nothing is measured')
      return []
    }
    const home = benchFolder()
    const pushed = await startPushed({ folder: join(home, 'ours'), children: 1 })
    try {
      return await measured(home, pushed, say)
    } finally {
      await pushed.stop()
      rmSync(home, { recursive: true })
    }
  },
}

interface Reading {
  readonly rate: number
  readonly p99: number
}

async function measured(home: string, pushed: Pushed, say: (line: string) => void) {
  const [read, written] = [join(home, 'read/files'), join(home, 'written/files')]
  makeFiles(read, READ.count, READ.bytes)
  makeFiles(written, WRITTEN.count, WRITTEN.bytes)
  await upload(uploadOf(read), `${pushed.url}read/`, { connections: 4, query: '?ack=all' })
  const [child] = pushed.children
  if (child === undefined) throw new Error('there is no child')
  await child.stop()
  const files = uploadOf(written)
  await upload(files, `${pushed.url}written/`, { connections: 4, query: '?ack=local', mayTellErrors: true })
  await child.start()
  const nginx = await startNginx(join(home, 'nginx'), child.folder)
  const arrived = (): number => files.paths.filter((path) => existsSync(join(child.folder, 'written', path))).length
  const all = [pushed.root.pid, child.pid]
  const p99 = { with: [] as number[], without: [] as number[] }
  const rates = await allInTurn(RUNS, {
    with: async (run) => {
      say(`${run + 1}/${RUNS}: ${arrived()} of ${files.paths.length} are there …`)
      for (const pid of all) signalAll(pid, 'SIGCONT')
      await untilMoving(arrived)
      const reading = await whileMoving(arrived, files, () => wrk(home, nginx.address))
      p99.with.push(reading.p99)
      return reading.rate
    },
    without: async () => {
      for (const pid of all) signalAll(pid, 'SIGSTOP')
      const reading = await wrk(home, nginx.address)
      p99.without.push(reading.p99)
      return reading.rate
    },
  }).finally(() => nginx.stop())
  const peer = (values: readonly number[]) => ({ name: 'nothing replicated', values })
  return [
    { name: 'reads during replication', unit: '/s', ours: rates.with, peer: peer(rates.without) },
    timesOf('reads during replication, of those without', rates.with, rates.without, { min: 0.95 }),
    { name: 'p99 during replication', unit: 'ms', ours: p99.with, peer: peer(p99.without) },
    timesOf('p99 during replication, of that without', p99.with, p99.without, { max: 1.2 }),
  ]
}

async function untilMoving(arrived: () => number): Promise<void> {
  const before = arrived()
  while (arrived() < before + 10) await delay(100)
}

async function whileMoving(arrived: () => number, { paths }: Upload, run: () => Promise<Reading>): Promise<Reading> {
  const before = arrived()
  const began = performance.now()
  const reading = await run()
  const rate = (((arrived() - before) * WRITTEN.bytes) / 1e6 / (performance.now() - began)) * 1000
  if (rate < LEAST_MB_S) throw new Error(`only ${rate.toFixed(1)} MB/s were replicated, of ${paths.length} files`)
  return reading
}

async function wrk(home: string, address: string): Promise<Reading> {
  const script = join(home, 'paths.lua')
  writeFileSync(
    script,
    `local at = 0
request = function()
  at = (at + 7) % ${READ.count}
  return wrk.format("GET", "/${PUSH_TREE}/read/d" .. math.floor(at / 91) .. "/f" .. at .. ".bin")
end
done = function(summary, latency)
  io.write(string.format("RESULT %f %f %d\\n", summary.requests / summary.duration * 1e6, latency:percentile(99) / 1000, summary.errors.status))
end
`,
  )
  const options = ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}`, '-s', script, `http://${address}/`]
  const running = spawn('wrk', options, { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  running.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await once(running, 'close')
  const [, rate, p99, errors] = /^RESULT (\S+) (\S+) (\d+)$/m.exec(said) ?? []
  if (errors !== '0') throw new Error(said)
  return { rate: Number(rate), p99: Number(p99) }
}

async function startNginx(home: string, folder: string): Promise<{ readonly address: string; stop(): void }> {
  mkdirSync(home)
  const address = `127.0.0.1:${await fixedPort()}`
  const config = join(home, 'nginx.conf')
  const user = process.getuid?.() === 0 ? 'user root; ' : ''
  writeFileSync(
    config,
    `${user}worker_processes 1; pid ${home}/pid; error_log ${home}/error.log;
events {}
http {
  access_log off; sendfile on; tcp_nopush on;
  server { listen ${address}; location /${PUSH_TREE}/ { alias ${folder}/; } }
}
`,
  )
  execFileSync('nginx', ['-c', config], { stdio: 'ignore' })
  return { address, stop: () => void execFileSync('nginx', ['-c', config, '-s', 'stop'], { stdio: 'ignore' }) }
}
