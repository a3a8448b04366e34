import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface NginxProcess {
  readonly pid: number
  readonly stop: () => Promise<void>
}

/** An nginx in the foreground; resolves when it is up, and rejects with what it says when it ends before. */
export async function startNginx(
  folder: string,
  configuration: string,
  isUp: () => Promise<boolean>,
): Promise<NginxProcess> {
  const argv = ['-e', join(folder, 'error.log'), '-c', configuration]
  const child = spawn('nginx', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (text) => (said += String(text)))
  while (!(await isUp())) {
    if (child.exitCode !== null) throw new Error(`nginx ended: ${said}`)
    await delay(20)
  }
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      if (child.exitCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

/** A configuration that keeps everything in one folder. */
export function foregroundNginx(folder: string, http: string): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = places.map((name) => `  ${name}_temp_path ${folder}/${name};\n`).join('')
  return `${process.getuid?.() === 0 ? 'user root;\n' : ''}daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events {}
http {
  access_log off;
${temporary}${http}}
`
}
