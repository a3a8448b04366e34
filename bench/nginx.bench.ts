import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Backend, RoutingTable } from '../src/core/routing/model.ts'
import { place } from '../src/core/routing/place.ts'
import { fixedPort } from '../test/helpers/fixed-port.ts'
import { openNginx, type TestNginx } from '../test/helpers/nginx.ts'
import { type Bench, type Figure, inTurn } from './figure.ts'

const RUNS = 5
const SECONDS = 2
const CONNECTIONS = 16
const KEYS = 10_000
const NODES = 50
const PAGE = '/erddap/tabledap/dataset_77.csv?time'

export const bench: Bench = {
  about:
    `${KEYS.toLocaleString('en-US')} datasets on ${NODES} nodes behind a real nginx. Requests: ${CONNECTIONS} kept connections of wrk, ` +
    'servers that answer at once, everything on one machine. The peer is nginx with a map of keys and `hash … consistent`, without Lua or a table.',
  run: async (say) => {
    if (!isInstalled()) {
      say('nginx, its Lua module and wrk are not installed and cannot be: nothing is measured')
      return []
    }
    const servers = await startServers(3)
    const ours = await openNginx()
    const plain = await startPeer(servers.ports)
    try {
      const table = tableFor(servers.ports)
      say('tables …')
      const figures = [await tables(ours, table)]
      await ours.driver.apply(table, {})
      say('requests …')
      return [...figures, ...(await requests(ours.port, plain.port))]
    } finally {
      await ours.close()
      await plain.stop()
      await servers.stop()
    }
  },
}

function isInstalled(): boolean {
  try {
    const options = ['install', '-y', '--no-install-recommends', 'nginx', 'libnginx-mod-http-lua', 'wrk']
    execFileSync('apt-get', options, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function tableFor(ports: readonly number[]): RoutingTable {
  const keys = Array.from({ length: KEYS }, (_, index) => `dataset_${index}`)
  const backends = Array.from({ length: NODES }, (_, index): Backend => {
    const address = { host: '127.0.0.1', port: ports[index % ports.length] ?? 0 }
    return { node: `node-${index}`, id: index + 1, ...address, weight: 100, state: 'up', without: new Set() }
  }).toSorted((a, b) => (a.node < b.node ? -1 : 1))
  const placement = place(keys, backends, { bound: 1.25, depth: 3, hot: new Map() })
  return {
    asOf: 1,
    revision: 1,
    rules: [{ system: 'erddap', base: '/erddap' }],
    backends,
    placement,
    everyNode: undefined,
  }
}

/** From a table to its text, told and in force: each time another drain. */
async function tables(nginx: TestNginx, table: RoutingTable): Promise<Figure> {
  await nginx.driver.apply(table, {})
  const values: number[] = []
  for (let turn = 0; turn < 20; turn++) {
    const [first, ...others] = table.backends
    if (first === undefined) break
    const drained = { ...table, backends: [{ ...first, without: new Set([`dataset_${turn}`]) }, ...others] }
    const began = performance.now()
    await nginx.driver.apply(drained, {})
    values.push(performance.now() - began)
  }
  return {
    name: 'a drain: the whole table made anew, told and in force',
    unit: 'ms',
    ours: values,
    target: { max: 50 },
  }
}

async function requests(ours: number, peer: number): Promise<readonly Figure[]> {
  const latencies = { ours: [] as number[], peer: [] as number[] }
  const run = (port: number, into: number[]) => async (): Promise<number> => {
    const said = await wrk(`http://127.0.0.1:${port}${PAGE}`)
    into.push(milliseconds(/50%\s+([\d.]+)(us|ms|s)/.exec(said)))
    if (/Non-2xx|Socket errors/.test(said)) throw new Error(said)
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1])
  }
  const rates = await inTurn(RUNS, run(ours, latencies.ours), run(peer, latencies.peer))
  const name = 'nginx without Lua'
  return [
    { name: 'requests', unit: '/s', ours: rates.ours, peer: { name, values: rates.peer } },
    {
      name: 'half of the answers came within',
      unit: 'ms',
      ours: latencies.ours,
      peer: { name, values: latencies.peer },
    },
  ]
}

function milliseconds(match: RegExpExecArray | null): number {
  const scale = { us: 0.001, ms: 1, s: 1000 }[match?.[2] ?? ''] ?? Number.NaN
  return Number(match?.[1]) * scale
}

async function wrk(url: string): Promise<string> {
  const child = spawn('wrk', ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}s`, '--latency', url])
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  await new Promise((resolve) => child.on('close', resolve))
  return said
}

const FRAME = (folder: string, http: string): string => `
user root; worker_processes auto; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http { access_log off; ${http} }
`

async function startServers(count: number): Promise<{ readonly ports: readonly number[]; stop(): Promise<void> }> {
  const ports: number[] = []
  for (let index = 0; index < count; index++) ports.push(await fixedPort())
  const answer = 'location / { default_type text/csv; return 200 "time\\n2026-11-21T00:00:00Z\\n"; }'
  const stop = await start(
    ports.map((port) => `server { listen 127.0.0.1:${port}; keepalive_requests 1000000; ${answer} }`).join('\n'),
  )
  return { ports, stop }
}

async function startPeer(ports: readonly number[]): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const port = await fixedPort()
  const http = `
    map $uri $key { default ""; "~^/erddap/(?:griddap|tabledap)/(?<id>[A-Za-z0-9_.-]+?)(?:\\.[A-Za-z0-9]+)?/?$" $id; }
    upstream erddap { zone erddap 256k; hash $key consistent; ${ports.map((each) => `server 127.0.0.1:${each};`).join(' ')} keepalive 256; }
    server { listen 127.0.0.1:${port}; location / { proxy_pass http://erddap; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host; proxy_max_temp_file_size 0; } }`
  return { port, stop: await start(http) }
}

async function start(http: string): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-bench-nginx-'))
  writeFileSync(join(folder, 'nginx.conf'), FRAME(folder, http))
  execFileSync('/usr/sbin/nginx', ['-c', join(folder, 'nginx.conf')])
  return async () => {
    process.kill(Number(readFileSync(join(folder, 'nginx.pid'), 'utf8')), 'SIGTERM')
    await delay(200)
    rmSync(folder, { recursive: true, force: true })
  }
}
