import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { fixedPort } from './fixed-port.ts'
import { selfSigned } from './self-signed.ts'

export interface TlsNginx {
  /** Of `https`. */
  readonly url: string
  /** Its own, which it has signed itself; a file. */
  readonly certificate: string
}

/** A real nginx that ends TLS before a server of HTTP, until the test has finished. Needs nginx and openssl. */
export async function openTlsNginx(target: string, within: string): Promise<TlsNginx> {
  const folder = mkdtempSync(join(within, 'tls-'))
  const { key, certificate } = selfSigned(folder)
  const port = await fixedPort()
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, configuration({ folder, port, key, certificate, target }))
  const program = spawn('nginx', ['-e', join(folder, 'error.log'), '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  program.stderr.on('data', (text) => (said += String(text)))
  onTestFinished(async () => {
    if (program.exitCode !== null) return
    program.kill('SIGTERM')
    await once(program, 'exit')
  })
  while (!(await listens(port))) {
    if (program.exitCode !== null) throw new Error(`nginx ended: ${said}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return { url: `https://127.0.0.1:${port}`, certificate }
}

interface Settings {
  readonly folder: string
  readonly port: number
  readonly key: string
  readonly certificate: string
  readonly target: string
}

function configuration({ folder, port, key, certificate, target }: Settings): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = places.map((name) => `  ${name}_temp_path ${folder}/${name};\n`).join('')
  return `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
${temporary}  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    client_max_body_size 0;
    location / {
      proxy_pass ${target};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffering off;
    }
  }
}
`
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const isThere = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false)
  socket.destroy()
  return isThere
}
