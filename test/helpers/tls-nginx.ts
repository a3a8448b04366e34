import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { fixedPort } from './fixed-port.ts'
import { listens } from './listens.ts'
import { foregroundNginx, startNginx } from './nginx-process.ts'
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
  const { stop } = await startNginx(folder, file, () => listens(port))
  onTestFinished(stop)
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
  return foregroundNginx(
    folder,
    `  server {
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
`,
  )
}
