import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { silent } from '../../src/core/log.ts'
import type { KeyRule } from '../../src/core/routing/model.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { type HaproxyConfig, haproxyConfigSchema } from '../../src/targets/proxy/haproxy/config.ts'
import { HaproxyDriver } from '../../src/targets/proxy/haproxy/driver.ts'
import type { ProxyUnderTest } from '../contract/proxy/under-test.ts'
import { fixedPort } from './fixed-port.ts'

export interface TestHaproxy extends ProxyUnderTest {
  readonly config: HaproxyConfig
  /** From now on a reload says that it is done, and does nothing; what comes back undoes it. */
  readonly idle: () => () => void
}

const PARTS = ['refuse', 'pid', 'reload.sh', 'judge.sh', 'sloth']

/** A HAProxy of this machine in a folder of its own, with its driver. Started by the first table. */
export async function openHaproxy(change: Partial<HaproxyConfig> = {}): Promise<TestHaproxy> {
  const root = mkdtempSync(join(tmpdir(), 'flotilla-haproxy-test-'))
  const port = await fixedPort()
  const [refusal = '', pidFile = '', reload = '', judge = '', sloth = ''] = PARTS.map((name) => join(root, name))
  const folder = join(root, 'conf')
  writeFileSync(
    reload,
    `if [ -e ${sloth} ]; then exit 0; fi
pid=$(cat ${pidFile} 2>/dev/null)
if [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null; then kill -USR2 "$pid"
else haproxy -W -D -p ${pidFile} -f ${folder}/haproxy.cfg >${root}/log 2>&1; fi
`,
  )
  writeFileSync(
    judge,
    `if [ -e ${refusal} ]; then echo '[ALERT] told to refuse everything' >&2; exit 1; fi
exec haproxy "$@"
`,
  )
  const config = haproxyConfigSchema.parse({
    folder,
    bind: [`127.0.0.1:${port}`],
    haproxy: ['sh', judge],
    reload: ['sh', reload],
    // Servers of tests share the processor with everything else.
    checkMs: 10_000,
    ...account(),
    ...change,
  })
  const processId = (): number => (existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0)
  const kill = async (): Promise<void> => {
    const pid = processId()
    if (pid === 0) return
    const all = [pid, ...childrenOf(pid)]
    for (const one of all) end(one)
    while (all.some((one) => isRunning(one))) await delay(5)
    rmSync(pidFile)
  }
  return {
    config,
    port,
    driver: new HaproxyDriver(config, { clock: systemClock, log: silent }),
    idle: () => {
      writeFileSync(sloth, '')
      return () => rmSync(sloth)
    },
    sabotage: async () => {
      writeFileSync(refusal, '')
      return async () => rmSync(refusal)
    },
    restart: async () => {
      await kill()
      spawnSync('sh', [reload])
    },
    close: async () => {
      await kill()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** A HAProxy that answers with the key it finds in each URL, or 204; it has no server. Ends with the test. */
export async function startPlain(rules: readonly KeyRule[]): Promise<number> {
  const haproxy = await openHaproxy()
  onTestFinished(async () => await haproxy.close())
  const table = { asOf: 1, revision: 1, rules, backends: [], placement: new Map(), everyNode: undefined }
  const answers = `  http-request return status 200 content-type text/plain lf-string %[var(txn.key)] if { var(txn.key) -m found }
  http-request return status 204
`
  for (const [path, content] of haproxy.driver.render(table)) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content.replace('  use_backend hashed', `${answers}  use_backend hashed`))
  }
  await haproxy.restart()
  return haproxy.port
}

/** Only the superuser can become somebody else. */
function account(): Pick<HaproxyConfig, 'user' | 'group'> {
  if (process.getuid?.() === 0) return { user: 'haproxy', group: 'haproxy' }
  return { user: userInfo().username, group: execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim() }
}

function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** A zombie is not running: who inherits it, takes its time. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
