import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LineAnswer } from '../../src/core/api-coordination.ts'
import { run, type Running, type RunOptions, start } from '../helpers/program.ts'
import { openTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'
import { longest } from '../helpers/soak.ts'

/** Commands of real processes against a real hub, which die, freeze and lose the network. */
const MANY = process.env['FLOTILLA_SOAK'] === '1' ? 64 : 8
const LONG = 60_000

let folder: string
let options: RunOptions
let hub: Running
let url: string
let port: string

const startHub = async (at: string): Promise<void> => {
  hub = start(['up', '--listen', `127.0.0.1:${at}`], { cwd: folder })
  const file = join(folder, '.flotilla/url')
  // Said when it listens.
  await hub.line(/flotilla join/)
  url = readFileSync(file, 'utf8').trim()
  port = new URL(url).port
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-coordination-'))
  await startHub('0')
  options = { cwd: folder, env: { FLOTILLA_URL: url, FLOTILLA_TOKEN_FILE: join(folder, '.flotilla/admin.token') } }
}, LONG)

afterAll(async () => {
  await hub.stop()
  rmSync(folder, { recursive: true, force: true })
}, LONG)

const cli = (...argv: readonly string[]) => run(argv, options)
const begin = (...argv: readonly string[]): Running => start(argv, options)

async function lineOf(name: string, kind = 'elections'): Promise<LineAnswer> {
  const token = readFileSync(join(folder, '.flotilla/admin.token'), 'utf8').trim()
  const answer = await fetch(`${url}/v1/${kind}/${name}`, { headers: { authorization: `Bearer ${token}` } })
  return (await answer.json()) as LineAnswer
}

const holders = async (name: string, kind?: string) => (await lineOf(name, kind)).holders.map(({ who }) => who)

/** Whether a process is there and not only waiting to be reaped. */
function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

/** Says its pid and its fence, and sleeps on. */
const SLEEPER = ['sh', '-c', 'echo "pid $$ fence $FLOTILLA_FENCE"; exec sleep 300']

async function sleeping(process: Running): Promise<{ readonly pid: number; readonly fence: string }> {
  const [, pid, fence = ''] = await process.line(/^pid (\d+) fence (\S+)$/)
  return { pid: Number(pid), fence }
}

describe('elect and lock', () => {
  it('run a command with its fence, and pass on how it ended', { timeout: LONG }, async () => {
    const led = await cli('elect', 'codes', '--id', 'a', '--', 'sh', '-c', 'echo "$FLOTILLA_FENCE"; exit 7')
    expect(led).toMatchObject({ code: 7, stdout: expect.stringMatching(/^elect\/codes\/a@\d+\n$/) })
    expect((await cli('lock', 'codes', '--', 'sh', '-c', 'kill -9 $$')).code).toBe(137)
    expect((await cli('lock', 'codes', '--', 'true')).code).toBe(0)
    expect((await cli('lock', 'codes', '--', '/no/such/program')).code).toBe(2)
    expect(await lineOf('codes')).toEqual({ name: 'codes', holders: [], waiting: [] })
    expect(await lineOf('codes', 'locks')).toEqual({ name: 'codes', holders: [], waiting: [] })
  })

  it('of many machines let one at a time work, and all finish', { timeout: longest(4 * LONG) }, async () => {
    const script =
      'mkdir busy || exit 9; n=$(cat count 2>/dev/null || echo 0); sleep 0.05; echo $((n+1)) > count; rmdir busy'
    const ran = await Promise.all(Array.from({ length: MANY }, () => cli('lock', 'many', '--', 'sh', '-c', script)))
    expect(ran.map(({ code }) => code)).toEqual(ran.map(() => 0))
    expect(readFileSync(join(folder, 'count'), 'utf8').trim()).toBe(String(MANY))
  })

  it('give up when the time is over, and tell behind whom', { timeout: LONG }, async () => {
    const holder = begin('lock', 'busy', '--id', 'holder', '--', ...SLEEPER)
    await sleeping(holder)
    const late = await cli('lock', 'busy', '--timeout', '0.5', '--', 'echo', 'never')
    expect(late).toMatchObject({ code: 3, stdout: '' })
    expect(late.stderr).toContain('behind holder')
    expect(await holder.stop()).toBe(143)
    expect(await lineOf('busy', 'locks')).toMatchObject({ holders: [], waiting: [] })
  })

  it(
    'a leader that is killed takes its command along, and the next one leads when the lease is over',
    { timeout: LONG },
    async () => {
      const first = begin('elect', 'killed', '--id', 'first', '--ttl', '2', '--', ...SLEEPER)
      const { pid } = await sleeping(first)
      const second = begin('elect', 'killed', '--id', 'second', '--ttl', '2', '--', ...SLEEPER)
      await expect.poll(async () => (await lineOf('killed')).waiting.length, { timeout: LONG }).toBe(1)
      await first.stop('SIGKILL')
      const led = await sleeping(second)
      // It ended before the next one was told.
      expect(isAlive(pid)).toBe(false)
      expect(await holders('killed')).toEqual(['second'])
      expect(led.fence).toMatch(/^elect\/killed\/second@/)
      await second.stop()
    },
  )

  it(
    'a leader that is frozen for three times its lease loses its command before another leads, and its writes are refused',
    { timeout: LONG },
    async () => {
      const first = begin('elect', 'frozen', '--id', 'first', '--ttl', '2', '--', ...SLEEPER)
      const { pid, fence } = await sleeping(first)
      const second = begin('elect', 'frozen', '--id', 'second', '--ttl', '2', '--', ...SLEEPER)
      await expect.poll(async () => (await lineOf('frozen')).waiting.length, { timeout: LONG }).toBe(1)
      expect(
        (
          await run(['progress', 'n1', '--phase', 'good'], {
            ...options,
            env: { ...options.env, FLOTILLA_FENCE: fence },
          })
        ).code,
      ).toBe(0)
      first.child.kill('SIGSTOP')
      await sleeping(second)
      expect(isAlive(pid)).toBe(false)
      await new Promise((resolve) => setTimeout(resolve, 4000))
      first.child.kill('SIGCONT')
      const stale = await run(['progress', 'n1', '--phase', 'stale'], {
        ...options,
        env: { ...options.env, FLOTILLA_FENCE: fence },
      })
      expect(stale.code).toBe(5)
      expect(stale.stderr).toContain('stale')
      expect((await cli('progress', 'n1')).stdout).toContain('good')
      expect(await first.stop('SIGCONT')).not.toBe(0)
      expect(await holders('frozen')).toEqual(['second'])
      await second.stop()
    },
  )

  it('resigned from outside, the command is stopped and the next one leads', { timeout: LONG }, async () => {
    const first = begin('elect', 'resigned', '--id', 'first', '--ttl', '60', '--', ...SLEEPER)
    const { pid } = await sleeping(first)
    const second = begin('elect', 'resigned', '--id', 'second', '--ttl', '60', '--', ...SLEEPER)
    await expect.poll(async () => (await lineOf('resigned')).waiting.length, { timeout: LONG }).toBe(1)
    expect((await cli('elect', 'resigned', '--resign')).stdout).toContain('first leads resigned no more')
    await sleeping(second)
    await first.line(/was taken away/)
    expect(await first.stop('SIGCONT')).toBe(5)
    expect(isAlive(pid)).toBe(false)
    await second.stop()
  })

  it('with seats lead as many as there are', { timeout: LONG }, async () => {
    const three = ['a', 'b', 'c'].map((id) => begin('elect', 'seats', '--seats', '2', '--id', id, '--', ...SLEEPER))
    await expect.poll(async () => (await lineOf('seats')).waiting.length, { timeout: LONG }).toBe(1)
    expect(await holders('seats')).toHaveLength(2)
    await Promise.all(three.map((one) => one.stop()))
  })

  it('the whole group of processes ends with the command', { timeout: LONG }, async () => {
    const ran = await cli('lock', 'group', '--grace', '1', '--', 'sh', '-c', 'sleep 300 >/dev/null 2>&1 & echo $!')
    expect(ran.code).toBe(0)
    expect(isAlive(Number(ran.stdout))).toBe(false)
  })

  it('signals are passed on', { timeout: LONG }, async () => {
    const script = 'trap "echo got usr1" USR1; trap "echo bye; exit 4" TERM; echo ready; while :; do sleep 0.1; done'
    const holder = begin('elect', 'signals', '--', 'sh', '-c', script)
    await holder.line(/ready/)
    holder.child.kill('SIGUSR1')
    await holder.line(/got usr1/)
    expect(await holder.stop('SIGTERM')).toBe(4)
    expect(holder.said()).toContain('bye')
  })

  it('outlive a hub that restarts', { timeout: LONG }, async () => {
    const holder = begin('lock', 'restart', '--id', 'holder', '--ttl', '20', '--', ...SLEEPER)
    const { pid, fence } = await sleeping(holder)
    const waiter = begin('lock', 'restart', '--id', 'waiter', '--ttl', '20', '--', ...SLEEPER)
    await expect.poll(async () => (await lineOf('restart', 'locks')).waiting.length, { timeout: LONG }).toBe(1)
    await hub.stop('SIGKILL')
    await startHub(port)
    await expect
      .poll(async () => lineOf('restart', 'locks').catch(() => undefined), { timeout: LONG })
      .toMatchObject({
        holders: [{ who: 'holder', fence }],
        waiting: [{ who: 'waiter' }],
      })
    expect(isAlive(pid)).toBe(true)
    await holder.stop()
    await sleeping(waiter)
    await waiter.stop()
  })

  it(
    'a holder that is cut off stops its command before the lease is over, and says so',
    { timeout: LONG },
    async () => {
      const proxy: TcpProxy = await openTcpProxy(url)
      const cut = { ...options, env: { ...options.env, FLOTILLA_URL: proxy.url } }
      const holder = start(['lock', 'cut', '--id', 'holder', '--ttl', '3', '--', ...SLEEPER], cut)
      const { pid } = await sleeping(holder)
      const next = begin('lock', 'cut', '--id', 'next', '--', ...SLEEPER)
      await expect.poll(async () => (await lineOf('cut', 'locks')).waiting.length, { timeout: LONG }).toBe(1)
      proxy.clog()
      await sleeping(next)
      expect(isAlive(pid)).toBe(false)
      await holder.line(/could not be renewed in time/)
      proxy.heal()
      expect(await holder.stop('SIGCONT')).toBe(5)
      await next.stop()
      await proxy.close()
    },
  )

  it(
    'a holder that was told so by a second request, and is cut off then, counts from what it knows of its lease',
    { timeout: LONG },
    async () => {
      const wire = await openTcpProxy(url)
      const behind = { ...options, env: { ...options.env, FLOTILLA_URL: wire.url } }
      wire.muteServer()
      const holder = start(['lock', 'again', '--id', 'holder', '--ttl', '8', '--grace', '1', '--', ...SLEEPER], behind)
      await expect.poll(() => holders('again', 'locks'), { timeout: LONG }).toEqual(['holder'])
      // Its lease has begun, and it does not know.
      await new Promise((resolve) => setTimeout(resolve, 4000))
      wire.cut()
      wire.heal()
      const { pid } = await sleeping(holder)
      wire.clog()
      const next = begin('lock', 'again', '--id', 'next', '--', ...SLEEPER)
      await sleeping(next)
      expect(isAlive(pid)).toBe(false)
      wire.heal()
      expect(await holder.stop('SIGCONT')).toBe(5)
      await next.stop()
      await wire.close()
    },
  )
})

describe('barrier, wait and progress', () => {
  it('all pass together, again and again, and who is missing is named', { timeout: LONG }, async () => {
    for (const round of [1, 2]) {
      const first = begin('barrier', 'gate', '--parties', '2', '--id', 'a')
      const second = await cli('barrier', 'gate', '--parties', '2', '--id', 'b', '--json')
      expect(JSON.parse(second.stdout)).toMatchObject({ passed: true, generation: round })
      await first.line(/all 2 are there/)
      expect(await first.stop('SIGCONT')).toBe(0)
    }
    const alone = await cli('barrier', 'gate', '--parties', '3', '--id', 'a', '--expect', 'a,b,c', '--timeout', '0.5')
    expect(alone.code).toBe(3)
    expect(alone.stderr).toContain('missing: b, c')
  })

  it('a party that dies drops out', { timeout: LONG }, async () => {
    const dead = begin('barrier', 'deaths', '--parties', '2', '--id', 'dead')
    const token = readFileSync(join(folder, '.flotilla/admin.token'), 'utf8').trim()
    const arrived = async () =>
      (
        (await (
          await fetch(`${url}/v1/barriers/deaths`, { headers: { authorization: `Bearer ${token}` } })
        ).json()) as { arrived: string[] }
      ).arrived
    await expect.poll(arrived, { timeout: LONG }).toEqual(['dead'])
    await dead.stop('SIGKILL')
    await expect.poll(arrived, { timeout: LONG }).toEqual([])
    expect((await cli('barrier', 'deaths', '--parties', '2', '--id', 'a', '--timeout', '0.5')).code).toBe(3)
  })

  it('a double barrier lets nobody go on before all have left', { timeout: LONG }, async () => {
    const enter = (id: string) => cli('barrier', 'double', '--parties', '2', '--id', id, '--stay', '60')
    expect((await Promise.all([enter('a'), enter('b')])).map(({ code }) => code)).toEqual([0, 0])
    const early = await cli('barrier', 'double', '--leave', '--id', 'a', '--timeout', '0.5')
    expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining('b') })
    expect((await cli('barrier', 'double', '--leave', '--id', 'b')).code).toBe(0)
  })

  it('wait tells by its exit code how it ended', { timeout: LONG }, async () => {
    const waiting = begin('wait', 'n9', 'meta', 'phase', 'done', '--node')
    await cli('progress', 'n9', '--phase', 'install', '--percent', '40')
    const late = await cli('wait', 'n9', 'meta', 'phase', 'done', '--node', '--timeout', '0.2')
    expect(late).toMatchObject({ code: 3, stderr: expect.stringContaining('install') })
    await cli('progress', 'n9', '--phase', 'done')
    await waiting.line(/^done$/)
    expect(await waiting.stop('SIGCONT')).toBe(0)
    expect((await cli('wait', 'n9', 'meta', 'percent', '--matches', '^4\\d$', '--node')).code).toBe(0)
    expect((await cli('wait', 'n9', 'meta', 'icon', '--absent', '--node')).code).toBe(0)
    expect((await cli('wait', 'n9', 'meta', 'icon', '--node')).code).toBe(2)
    const nowhere = { ...options, env: { ...options.env, FLOTILLA_URL: 'http://127.0.0.1:9' } }
    expect((await run(['wait', 'x', 'param', 'y', 'z', '--timeout', '0.2'], nowhere)).code).toBe(7)
  })

  it('wait outlives a hub that restarts', { timeout: LONG }, async () => {
    const waiting = begin('wait', 'n8', 'meta', 'phase', 'done', '--node')
    await cli('progress', 'n8', '--phase', 'install')
    await cli('wait', 'n8', 'meta', 'phase', 'install', '--node')
    await hub.stop('SIGTERM')
    await startHub(port)
    await cli('progress', 'n8', '--phase', 'done')
    await waiting.line(/^done$/)
    expect(await waiting.stop('SIGCONT')).toBe(0)
  })
})
