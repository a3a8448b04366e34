import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { FileService } from './file-service.ts'
import { fixedPort } from './fixed-port.ts'
import { startNginx } from './nginx-process.ts'
import { run } from './program.ts'

export interface FiledistNginx {
  readonly url: string
  readonly port: number
  /** Of its master. */
  readonly pid: number
  readonly logs: string
  stop(): Promise<void>
}

type Before = Pick<FileService, 'folder' | 'port' | 'options'>

/** As whom a test can let nginx work in folders of its own. */
const USER = process.getuid?.() === 0 ? ['-u', 'root'] : []

/** Where `flotilla proxy render filedist` is to put what nginx writes, in a folder of its own. */
export function filedistPlaces(folder: string): readonly string[] {
  const logs = mkdtempSync(join(folder, 'nginx-'))
  return [...USER, '-i', join(logs, '[SERVERNAME].pid'), '-l', logs]
}

/** What nginx says of a configuration; rejects where it refuses it. */
export async function nginxVerdict(folder: string, configuration: string): Promise<string> {
  const file = join(mkdtempSync(join(folder, 'conf-')), 'nginx.conf')
  writeFileSync(file, configuration, { mode: 0o600 })
  const { stderr } = await promisify(execFile)('nginx', ['-t', '-e', join(folder, 'error.log'), '-c', file])
  return stderr
}

/** A real nginx before a file service, by what `flotilla proxy render filedist` prints for it. */
export async function openFiledistNginx(service: Before, options: readonly string[] = []): Promise<FiledistNginx> {
  const port = await fixedPort()
  const logs = join(service.folder, `nginx-${port}`)
  mkdirSync(logs)
  const where = ['--listen', `127.0.0.1:${service.port}`, '-s', `127.0.0.1:${port}`]
  const places = [...USER, '-i', join(logs, '[SERVERNAME].pid'), '-l', logs]
  // By nginx.filedist's own options a tree has another form.
  const isOwn = options.includes('-r')
  const given = service.options.filter((_, at) => !isOwn || ![at, at - 1].some((i) => service.options[i] === '--tree'))
  const printed = await run(['proxy', 'render', 'filedist', ...where, ...places, ...given, ...options], {
    cwd: service.folder,
  })
  if (printed.code !== 0) throw new Error(printed.stderr)
  const file = join(logs, 'nginx.conf')
  writeFileSync(file, printed.stdout, { mode: 0o600 })
  const url = `http://127.0.0.1:${port}`
  const isUp = async () => (await fetch(`${url}/__readme.txt`).catch(() => undefined)) !== undefined
  const { pid, stop } = await startNginx(logs, file, isUp)
  return {
    url,
    port,
    pid,
    logs,
    stop,
  }
}
