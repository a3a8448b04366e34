import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, vi } from 'vitest'
import { type AccessLine, parseAccessLine } from '../src/agent/metrics/access-line.ts'
import { fixedPort } from './helpers/fixed-port.ts'
import { temporaryFolder } from './helpers/folder.ts'
import { needs } from './helpers/needs.ts'

/** The logs that real proxies write are those that the agent reads. */

/** Starts it, asks it for two things, and answers what its log says. */
async function logged(argv: readonly string[], port: number, log: () => string): Promise<readonly AccessLine[]> {
  const [program = '', ...rest] = argv
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += String(part)))
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const url = `http://127.0.0.1:${port}`
  await vi.waitFor(async () => await fetch(`${url}/erddap/tabledap/a.csv?time%2Clat`), {
    timeout: 10_000,
    interval: 100,
  })
  expect((await fetch(`${url}/erddap/griddap/b.das`)).status).toBe(404)
  return await vi.waitFor(
    () => {
      const lines = `${log()}${said}`.split('\n').flatMap((line) => parseAccessLine(line.trimEnd()) ?? [])
      expect(lines.length).toBeGreaterThanOrEqual(2)
      return lines
    },
    { timeout: 10_000, interval: 100 },
  )
}

const EXPECTED = [
  { method: 'GET', target: '/erddap/tabledap/a.csv?time%2Clat', status: 200 },
  { method: 'GET', target: '/erddap/griddap/b.das', status: 404 },
]

const withNginx = await needs({ tools: ['nginx'] })
withNginx('nginx, combined and with the time', { timeout: 60_000 }, async () => {
  for (const [format, timed] of [
    ['combined', false],
    ['timed', true],
  ] as const) {
    const folder = temporaryFolder()
    const port = await fixedPort()
    const log = join(folder, 'access.log')
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log stderr;\nevents {}\nhttp {\n` +
        `log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time';\n` +
        ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
          .map((name) => `${name}_temp_path ${folder}/${name};`)
          .join(' ') +
        `\naccess_log ${log} ${format};\nserver { listen 127.0.0.1:${port}; location / { return 404; } ` +
        "location = /erddap/tabledap/a.csv { return 200 'hello'; } } }\n",
    )
    const read = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '')
    const lines = await logged(['nginx', '-e', 'stderr', '-c', join(folder, 'nginx.conf')], port, read)
    expect(lines).toMatchObject(EXPECTED)
    expect(lines[0]?.bytes).toBe(5)
    expect(lines.map(({ seconds }) => seconds !== undefined)).toEqual([timed, timed])
  }
})

const withHaproxy = await needs({ tools: ['haproxy'] })
withHaproxy("HAProxy's httplog", { timeout: 60_000 }, async () => {
  const folder = temporaryFolder()
  const port = await fixedPort()
  writeFileSync(
    join(folder, 'haproxy.cfg'),
    'global\n  log stdout format raw local0\ndefaults\n  mode http\n  log global\n  option httplog\n  timeout connect 1s\n' +
      `  timeout client 5s\n  timeout server 5s\nfrontend fe\n  bind 127.0.0.1:${port}\n` +
      '  http-request return status 200 content-type text/plain string hello if { path /erddap/tabledap/a.csv }\n' +
      '  http-request return status 404\n',
  )
  const lines = await logged(['haproxy', '-f', join(folder, 'haproxy.cfg')], port, () => '')
  expect(lines).toMatchObject(EXPECTED)
  expect(lines[0]?.seconds).toBeDefined()
})
