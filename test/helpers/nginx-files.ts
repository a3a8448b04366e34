import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixedPort } from './fixed-port.ts'
import type { FileService } from './file-service.ts'
import { run } from './program.ts'

export interface NginxBefore {
  readonly url: string
  readonly port: number
  /** What nginx says of the configuration. */
  readonly verdict: string
  readonly configuration: string
  stop(): Promise<void>
}

/** A real nginx before a file service, with what `flotilla files nginx` prints for it. */
export async function openNginxBefore(
  service: FileService,
  env: Readonly<Record<string, string>> = {},
): Promise<NginxBefore> {
  const folder = join(service.folder, 'nginx')
  const port = await fixedPort()
  const where = ['--listen', `127.0.0.1:${service.port}`, '--nginx-listen', `127.0.0.1:${port}`]
  const printed = await run(['files', 'nginx', ...where, ...service.options], { cwd: service.folder, env })
  if (printed.code !== 0) throw new Error(printed.stderr)
  mkdirSync(folder)
  const main = join(folder, 'nginx.conf')
  writeFileSync(join(folder, 'files.conf'), printed.stdout)
  writeFileSync(main, mainOf(folder))
  const verdict = execFileSync('/bin/sh', ['-c', `nginx -t -e ${folder}/error.log -c ${main} 2>&1`], {
    encoding: 'utf8',
  })
  const child = spawn('nginx', ['-e', join(folder, 'error.log'), '-c', main], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  while ((await fetch(url).catch(() => undefined)) === undefined) {
    if (child.exitCode !== null) throw new Error('nginx ended')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return {
    url,
    port,
    verdict,
    configuration: printed.stdout,
    stop: async () => {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

function mainOf(folder: string): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = places.map((name) => `  ${name}_temp_path ${folder}/${name};\n`).join('')
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  return `${user}daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events {}
http {
  access_log off;
${temporary}  include ${folder}/files.conf;
}
`
}
