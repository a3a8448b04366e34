import { mkdtempSync, writeFileSync, rmSync, mkdirSync, chmodSync } from 'node:fs'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/lib/system-clock.ts'
import { nginxConfigSchema, type NginxConfig } from '../../src/targets/proxy/nginx/config.ts'
import { NginxDriver } from '../../src/targets/proxy/nginx/driver.ts'
import type { ProxyUnderTest } from '../contract/proxy/under-test.ts'
import { freePort } from './fleet.ts'

export interface TestNginx extends ProxyUnderTest {
  readonly driver: NginxDriver
  readonly config: NginxConfig
  /** Every process of it, the master first. */
  readonly master: ChildProcess
}

/** A real nginx with a folder, ports and processes of its own, running and without any table. */
export async function openNginx(settings: Partial<NginxConfig> = {}): Promise<TestNginx> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-nginx-test-'))
  chmodSync(folder, 0o755)
  const [port, control] = [await freePort(), await freePort()]
  const modules = join(folder, 'modules')
  mkdirSync(modules)
  if (settings.lua !== false) {
    const order = ['ndk_http_module', 'ngx_http_lua_module']
    writeFileSync(
      join(modules, 'lua.conf'),
      order.map((name) => `load_module /usr/lib/nginx/modules/${name}.so;\n`).join(''),
    )
  }
  const config = nginxConfigSchema.parse({
    folder: join(folder, 'conf'),
    listen: [`127.0.0.1:${port}`],
    control: `127.0.0.1:${control}`,
    user: 'root',
    modules,
    reloadEveryMs: 1,
    ...settings,
  })
  const driver = new NginxDriver(config, { clock: systemClock })
  const empty = { asOf: 0, revision: 0, rules: [], backends: [], placement: new Map(), everyNode: undefined }
  for (const [path, text] of driver.render(empty)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  let master = await start(config)
  return {
    driver,
    config,
    port,
    get master() {
      return master
    },
    sabotage: async () => {
      const path = join(modules, 'sabotage.conf')
      writeFileSync(path, 'this_is_no_directive;\n')
      return async () => rmSync(path)
    },
    restart: async () => {
      await end(master, 'SIGKILL')
      master = await start(config)
    },
    close: async () => {
      await end(master, 'SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function start({ folder, nginx, control }: NginxConfig): Promise<ChildProcess> {
  const [program = '', ...first] = nginx
  const master = spawn(program, [...first, '-c', join(folder, 'nginx.conf'), '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  })
  let said = ''
  master.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
  const ended = once(master, 'exit').then(() => {
    throw new Error(`nginx ended: ${said}`)
  })
  await Promise.race([ended, answering(control)])
  ended.catch(() => undefined)
  return master
}

async function answering(address: string): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://${address}/flotilla`).catch(() => undefined)
    if (answer?.ok === true) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Killed workers leave their master alone; a killed master leaves its workers behind, which is no reboot. */
async function end(master: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (master.exitCode !== null || master.signalCode !== null) return
  const ended = once(master, 'exit')
  if (signal === 'SIGTERM') master.kill(signal)
  else process.kill(-(master.pid ?? 0), signal)
  await ended
}
