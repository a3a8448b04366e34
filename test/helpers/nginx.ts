import { mkdtempSync, writeFileSync, rmSync, mkdirSync, chmodSync } from 'node:fs'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemClock } from '../../src/lib/system-clock.ts'
import { nginxConfigSchema, type NginxConfig } from '../../src/targets/proxy/nginx/config.ts'
import { NginxDriver } from '../../src/targets/proxy/nginx/driver.ts'
import type { ProxyUnderTest } from '../contract/proxy/under-test.ts'
import { fixedPorts } from './fixed-port.ts'

export interface TestNginx extends ProxyUnderTest {
  readonly driver: NginxDriver
  readonly config: NginxConfig
  readonly main: string
  /** As when the power fails. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** A configuration that somebody wrote by hand; `{port}`, `{modules}` and `{folder}` stand for the test's own. */
export interface Existing {
  readonly main: string
}

const EMPTY = { asOf: 0, revision: 0, rules: [], backends: [], placement: new Map(), everyNode: undefined }

/**
 * A real nginx with a folder, ports and processes of its own, running and without any table: with a configuration that is
 * all ours, or with an existing one that may include ours.
 */
export async function openNginx(settings: Partial<NginxConfig> = {}, existing?: Existing): Promise<TestNginx> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-nginx-test-'))
  chmodSync(folder, 0o755)
  const [port = 0, control = 0] = await fixedPorts(2)
  const modules = join(folder, 'modules')
  mkdirSync(modules)
  if (settings.lua !== false) writeFileSync(join(modules, 'lua.conf'), LUA_MODULES)
  const main = join(folder, existing === undefined ? 'conf/nginx.conf' : 'nginx.conf')
  const config = nginxConfigSchema.parse({
    folder: join(folder, 'conf'),
    control: `127.0.0.1:${control}`,
    user: 'root',
    modules,
    reloadEveryMs: 1,
    ...(existing === undefined ? { listen: [`127.0.0.1:${port}`] } : { main }),
    ...settings,
  })
  const driver = new NginxDriver(config, { clock: systemClock })
  for (const [path, text] of driver.render(EMPTY)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  if (existing !== undefined) {
    const text = existing.main.replaceAll('{port}', String(port)).replaceAll('{modules}', modules)
    writeFileSync(main, text.replaceAll('{folder}', folder))
  }
  let master = await start(config, main)
  return {
    driver,
    config,
    port,
    main,
    sabotage: async () => {
      const path = join(modules, 'sabotage.conf')
      writeFileSync(path, 'this_is_no_directive;\n')
      return async () => rmSync(path)
    },
    restart: async () => {
      await end(master, 'SIGKILL')
      master = await start(config, main)
    },
    stop: async () => await end(master, 'SIGKILL'),
    start: async () => {
      master = await start(config, main)
    },
    close: async () => {
      await end(master, 'SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const LUA_MODULES = ['ndk_http_module', 'ngx_http_lua_module']
  .map((name) => `load_module /usr/lib/nginx/modules/${name}.so;\n`)
  .join('')

async function start({ nginx, control }: NginxConfig, main: string): Promise<ChildProcess> {
  const [program = '', ...first] = nginx
  const master = spawn(program, [...first, '-c', main, '-g', 'daemon off;'], {
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
