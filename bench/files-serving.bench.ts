import { execFileSync, spawn } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { renderDirectServing } from '../src/fileserver/nginx/render.ts'
import { Secret } from '../src/lib/secret.ts'
import { fixedPort } from '../test/helpers/fixed-port.ts'
import { areInstalled, benchFolder, makeFiles, type Served, serveFiles } from './files.ts'
import { type Bench, type Figure, inTurn } from './figure.ts'

const RUNS = 5
const SECONDS = 2
const CONNECTIONS = 32
const FILES = 1000
const GIB = 2 ** 30
const DOWNLOADS = 200
const KEY = 'bench-key'

export const bench: Bench = {
  about:
    `${FILES} files of 4 KiB, read by wrk over ${CONNECTIONS} kept connections, and files of 1 GiB read by curl, four at once; server and client on ` +
    'the same two processors. The peer is nginx with the same folder and nothing else configured.',
  run: async (say) => {
    if (!areInstalled('nginx', 'wrk', 'curl')) {
      say('nginx, wrk and curl are not installed and cannot be: nothing is measured')
      return []
    }
    const folder = benchFolder()
    const tree = join(folder, 'tree')
    makeFiles(tree, FILES, 4096)
    for (let index = 0; index < 4; index++) makeLarge(join(tree, `large${index}`))
    const served = await serveFiles(tree, join(folder, 'state'), FILES + 4)
    const nginx = await startNginx(folder, tree, served.port)
    try {
      say('small files …')
      const paths = join(folder, 'paths.lua')
      writeFileSync(paths, script())
      const plain = async (): Promise<number> => await requests(nginx.plain, '', paths)
      const direct = await inTurn(RUNS, async () => await requests(nginx.direct, `?apikey=${KEY}`, paths), plain)
      const own = await inTurn(RUNS, async () => await requests(`127.0.0.1:${served.port}`, '', paths), plain)
      say('large files …')
      const large = await inTurn(
        RUNS,
        async () => await fourLarge(`127.0.0.1:${served.port}`),
        async () => await fourLarge(nginx.plain),
      )
      const peak = await memoryAt(served)
      return [
        ratio('4 KiB through nginx with the keys compiled in, of plain nginx', direct),
        { name: '4 KiB without nginx', unit: '/s', ours: own.ours, peer: peer(own.peer), target: { min: 20_000 } },
        { name: '4 × 1 GiB without nginx', unit: 'GB/s', ours: large.ours, peer: peer(large.peer), target: { min: 2 } },
        { name: `memory at ${DOWNLOADS} downloads`, unit: 'MB', ours: [peak], target: { max: 150 } },
      ]
    } finally {
      nginx.stop()
      await served.stop()
      rmSync(folder, { recursive: true })
    }
  },
}

const peer = (values: readonly number[]): NonNullable<Figure['peer']> => ({ name: 'nginx', values })

function ratio(name: string, { ours, peer: values }: Awaited<ReturnType<typeof inTurn>>): Figure {
  return { name, unit: '×', ours: ours.map((one, index) => one / (values[index] ?? NaN)), target: { min: 0.95 } }
}

/** Written whole: holes of a sparse file would be read faster. */
function makeLarge(path: string): void {
  const file = openSync(path, 'w')
  ftruncateSync(file, 0)
  const block = Buffer.alloc(1024 * 1024, 7)
  for (let index = 0; index < GIB / block.byteLength; index++) writeFileSync(file, block)
  closeSync(file)
}

function script(): string {
  return `local at = 0
request = function()
  at = (at + 7) % ${FILES}
  return wrk.format("GET", "/tree/d" .. math.floor(at / 91) .. "/f" .. at .. ".bin" .. (os.getenv("QUERY") or ""))
end
`
}

async function requests(address: string, query: string, paths: string): Promise<number> {
  const options = ['-t1', `-c${CONNECTIONS}`, `-d${SECONDS}`, '-s', paths, `http://${address}/`]
  const out = execFileSync('wrk', options, { encoding: 'utf8', env: { ...process.env, QUERY: query } })
  if (out.includes('Non-2xx')) throw new Error(out)
  return await Promise.resolve(Number(/Requests\/sec:\s+([\d.]+)/.exec(out)?.[1]))
}

/** GB a second. */
async function fourLarge(address: string): Promise<number> {
  const began = performance.now()
  const clients = [0, 1, 2, 3].map(
    async (index) =>
      await new Promise<void>((resolve, reject) => {
        const args = ['-sf', '-o', '/dev/null', `http://${address}/tree/large${index}`]
        spawn('curl', args).on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`curl: ${code}`))))
      }),
  )
  await Promise.all(clients)
  return (4 * GIB) / 1e9 / ((performance.now() - began) / 1000)
}

/** MB, while so many clients read a large file slowly. */
async function memoryAt({ url, pid }: Served): Promise<number> {
  const open = Array.from({ length: DOWNLOADS }, (_, index) => {
    const request = get(`${url}/large${index % 4}`, { agent: false }, (answer) => {
      // Each takes a little now and then: the server has to hold what was not taken.
      answer.pause()
      const timer = setInterval(() => void answer.read(), 20)
      answer.on('close', () => clearInterval(timer)).on('error', () => undefined)
    })
    return request.on('error', () => undefined)
  })
  await new Promise((resolve) => setTimeout(resolve, 5000))
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  for (const request of open) request.destroy()
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

async function startNginx(folder: string, tree: string, files: number): Promise<Nginx> {
  const [direct, plain] = [await fixedPort(), await fixedPort()]
  const listen = `127.0.0.1:${direct}`
  const text = renderDirectServing({
    listen,
    upstream: { host: '127.0.0.1', port: files },
    trees: [{ name: 'tree', folder: tree }],
    keys: [{ key: new Secret(KEY), scopes: [] }],
    open: 'nothing',
  })
  const own = join(folder, 'nginx')
  mkdirSync(own)
  const config = join(own, 'nginx.conf')
  writeFileSync(
    config,
    `user root; worker_processes 1; daemon on; pid ${own}/pid; error_log ${own}/error.log;
events {}
http {
access_log off;
${text}
server { listen 127.0.0.1:${plain}; sendfile on; tcp_nopush on; location /tree/ { alias ${tree}/; } }
}
`,
  )
  execFileSync('nginx', ['-c', config], { stdio: 'ignore' })
  const stop = (): void => void execFileSync('nginx', ['-c', config, '-s', 'stop'], { stdio: 'ignore' })
  return { direct: listen, plain: `127.0.0.1:${plain}`, stop }
}

interface Nginx {
  readonly direct: string
  readonly plain: string
  stop(): void
}
