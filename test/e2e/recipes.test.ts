import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, type Running, start } from '../helpers/program.ts'

/** The recipes as they are shipped, run by several processes at once against a real hub. */

const ROOT = join(import.meta.dirname, '../..')
const LONG = 300_000
/** Each process is several starts of Node; the loop has its 20 always, the others where there is time. */
const MANY = process.env['FLOTILLA_SOAK'] === '1' ? 20 : 5

let folder: string
let env: Record<string, string>
let hub: Running

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-recipes-'))
  hub = start(['up', '--listen', '127.0.0.1:0'], { cwd: folder })
  await hub.line(/flotilla join/)
  const program = join(folder, 'flotilla')
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/bin.ts')}' "$@"\n`)
  chmodSync(program, 0o755)
  env = {
    FLOTILLA: program,
    FLOTILLA_URL: readFileSync(join(folder, '.flotilla/url'), 'utf8').trim(),
    FLOTILLA_TOKEN_FILE: join(folder, '.flotilla/admin.token'),
  }
}, LONG)

afterAll(async () => {
  await hub.stop()
  rmSync(folder, { recursive: true, force: true })
}, LONG)

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function recipe(name: string, ...args: readonly string[]): Promise<Ended> {
  return await new Promise((resolve) => {
    const options = { cwd: folder, env: { ...process.env, ...env }, timeout: LONG }
    execFile(join(ROOT, 'recipes', name), args, options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out: out.trim(), err: err.trim() })
    })
  })
}

const flotilla = async (...argv: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await run(argv, { cwd: folder, env })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.trim()
}

const together = async (count: number, one: (index: number) => Promise<Ended>): Promise<readonly Ended[]> =>
  await Promise.all(Array.from({ length: count }, async (_, index) => await one(index)))

const nodes = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `node${index}`)

test(
  'initialise: of several one makes the profile, the others find it, and nothing of it is lost',
  { timeout: LONG },
  async () => {
    const ended = await together(MANY, async () => await recipe('initialise.sh', 'made', '{"my/leader": "none"}'))
    expect(ended.map(({ code }) => code)).toEqual(Array.from({ length: MANY }, () => 0))
    expect(ended.filter(({ out }) => out === 'made made')).toHaveLength(1)
    expect(ended.filter(({ out }) => out === 'found made')).toHaveLength(MANY - 1)
    await flotilla('profile', 'set', 'made', 'param', 'my/leader', 'to', 'x')
    expect(await recipe('initialise.sh', 'made')).toMatchObject({ code: 0, out: 'found made' })
    expect(await flotilla('profile', 'get', 'made', 'param', 'my/leader')).toBe('x')
    expect(await flotilla('profile', 'get', 'made', 'param', 'cluster/profile')).toBe('made')
  },
)

test(
  'first-wins: of 20 machines exactly one wins, all finish and name it, and the profile was changed once',
  { timeout: LONG },
  async () => {
    await flotilla('profile', 'create', 'race', '{"params": {"my/leader": "none", "other": 1}}')
    const ended = await together(
      20,
      async (index) => await recipe('first-wins.sh', 'race', 'my/leader', `machine-${index}`),
    )
    expect(ended.filter(({ code }) => code !== 0)).toEqual([])
    const winners = new Set(ended.map(({ out }) => out))
    expect(winners.size).toBe(1)
    expect([...winners][0]).toMatch(/^machine-\d+$/)
    const profile = JSON.parse(await flotilla('profile', 'show', 'race')) as { version: number; params: object }
    expect(profile).toMatchObject({ version: 2, params: { 'my/leader': [...winners][0], other: 1 } })
  },
)

test('first-wins: what is no lost race ends with its own code', { timeout: LONG }, async () => {
  expect((await recipe('first-wins.sh', 'no-such-profile', 'my/leader', 'me')).code).toBe(1)
})

test(
  'lead: never more than its seats at once, each in its turn, with an anchor meanwhile',
  { timeout: LONG },
  async () => {
    const log = join(folder, 'lead.log')
    writeFileSync(log, '')
    const work = 'echo "begin $1" >> "$2"; sleep 0.3; echo "end $1" >> "$2"'
    const ended = await together(MANY, async (index) => {
      const node = `lead${index}`
      return await recipe('lead.sh', 'leaders', '2', node, 'bash', '-c', work, 'work', node, log)
    })
    expect(ended.map(({ code, err }) => ({ code, err }))).toEqual(
      Array.from({ length: MANY }, () => ({ code: 0, err: '' })),
    )
    let leading = 0
    const lines = readFileSync(log, 'utf8').trim().split('\n')
    expect(lines).toHaveLength(2 * MANY)
    for (const line of lines) {
      leading += line.startsWith('begin') ? 1 : -1
      expect(leading).toBeLessThanOrEqual(2)
    }
    expect(await flotilla('progress', 'lead0')).toContain('anchor')
  },
)

test(
  'once: a command runs on one machine of all, and what it prints is the same everywhere',
  { timeout: LONG },
  async () => {
    await flotilla('profile', 'create', 'shared')
    const log = join(folder, 'once.log')
    writeFileSync(log, '')
    const work = 'echo ran >> "$0"; printf "key \\"%s\\"\\nsecond line" "$RANDOM"'
    const ended = await together(MANY, async () => await recipe('once.sh', 'shared', 'ca/key', 'bash', '-c', work, log))
    expect(ended.map(({ code, err }) => ({ code, err }))).toEqual(
      Array.from({ length: MANY }, () => ({ code: 0, err: '' })),
    )
    expect(readFileSync(log, 'utf8')).toBe('ran\n')
    expect(new Set(ended.map(({ out }) => out)).size).toBe(1)
    expect(ended[0]?.out).toMatch(/^key "\d+"\nsecond line$/)
  },
)

test('rolling: one at a time; after a failure nobody begins, and the reason is shown', { timeout: LONG }, async () => {
  await flotilla('profile', 'create', 'roll')
  const log = join(folder, 'rolling.log')
  writeFileSync(log, '')
  const work = 'echo "begin $1" >> "$2"; sleep 0.2; echo "end $1" >> "$2"'
  const all = nodes(MANY)
  const ended = await together(MANY, async (index) => {
    const node = all[index] ?? ''
    return await recipe('rolling.sh', 'roll', '1', node, 'bash', '-c', work, 'work', node, log)
  })
  expect(ended.map(({ code }) => code)).toEqual(all.map(() => 0))
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  for (let at = 0; at < lines.length; at += 2) expect(lines[at + 1]).toBe(lines[at]?.replace('begin', 'end'))
  expect(new Set(lines).size).toBe(2 * MANY)
  expect((await recipe('rolling.sh', 'roll', '1', 'node0', 'sh', '-c', 'exit 7')).code).toBe(7)
  const behind = await recipe('rolling.sh', 'roll', '1', 'node1', 'touch', join(folder, 'never'))
  expect(behind).toMatchObject({ code: 4, err: 'not begun: failed on node0' })
  expect(await flotilla('progress', 'node1')).toContain('failed on node0')
})

test(
  'gather: all put themselves on a list, wait for each other, and see all of it; a second time nobody is twice on it',
  { timeout: LONG },
  async () => {
    await flotilla('profile', 'create', 'members')
    const round = async () =>
      await together(MANY, async (index) => {
        const value = JSON.stringify({ name: `node${index}`, address: `10.0.0.${index}` })
        return await recipe('gather.sh', 'members', 'cluster/members', String(MANY), `node${index}`, value)
      })
    for (const ended of [await round(), await round()]) {
      expect(ended.map(({ code }) => code)).toEqual(nodes(MANY).map(() => 0))
      const lists = ended.map(({ out }) => JSON.parse(out) as { name: string }[])
      for (const list of lists) expect(list.map(({ name }) => name).toSorted()).toEqual(nodes(MANY).toSorted())
    }
    const late = await recipe(
      'gather.sh',
      'members',
      'cluster/members',
      '2',
      'node0',
      '{"name":"node0","address":"10.0.0.0"}',
      '1s',
    )
    expect(late.code).toBe(3)
  },
)
