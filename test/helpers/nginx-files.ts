import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixedPort } from './fixed-port.ts'
import type { FileService } from './file-service.ts'
import { foregroundNginx, startNginx } from './nginx-process.ts'
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
  writeFileSync(main, foregroundNginx(folder, `  include ${folder}/files.conf;\n`))
  const verdict = execFileSync('/bin/sh', ['-c', `nginx -t -e ${folder}/error.log -c ${main} 2>&1`], {
    encoding: 'utf8',
  })
  const url = `http://127.0.0.1:${port}`
  const { stop } = await startNginx(folder, main, async () => (await fetch(url).catch(() => undefined)) !== undefined)
  return {
    url,
    port,
    verdict,
    configuration: printed.stdout,
    stop,
  }
}
