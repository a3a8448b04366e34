import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { runCli } from './helpers/cli.ts'
import { type CliHub, startCliHub } from './helpers/cli-hub.ts'
import { gridDataset } from './helpers/erddap-tree.ts'

let hub: CliHub

beforeAll(async () => {
  hub = await startCliHub()
})
afterAll(async () => {
  await hub.close()
})

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>

/** A folder of fragments under the hub's folder; a path without content is removed. */
function fragments(files: Readonly<Record<string, string | undefined>>, folder = 'datasets.d'): string {
  mkdirSync(join(hub.folder, folder), { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    const path = join(hub.folder, folder, name)
    if (text === undefined) rmSync(path, { force: true })
    else writeFileSync(path, text)
  }
  return folder
}

describe('before anything is released', () => {
  test('status says so, says what to type next, and exits 3', async () => {
    const { code, out } = await hub.cli('status')
    expect(code).toBe(3)
    expect(out).toBe('NOTHING RELEASED in datasets\n\nnext: flotilla datasets release DIR -m "first release"\n')
  })

  test('history, nodes and rollback have nothing to show, and say what to do', async () => {
    expect(await hub.cli('history')).toMatchObject({
      code: 0,
      out: expect.stringContaining('nothing has been released'),
    })
    expect(await hub.cli('nodes')).toMatchObject({ code: 0, out: expect.stringContaining('flotilla token join-code') })
    expect(await hub.cli('rollback')).toMatchObject({ code: 1, err: expect.stringContaining('NOT_FOUND') })
  })
})

describe('releasing', () => {
  test('the first release names its number and every change', async () => {
    const folder = fragments({ 'a.xml': gridDataset('alpha'), 'b.xml': gridDataset('beta') })
    const { code, out } = await hub.cli('datasets', 'release', folder, '-m', 'first')
    expect(code).toBe(0)
    expect(out).toMatch(/^r1 {2}2 datasets: 2 new\n {2}\+ alpha {2}new\n {2}\+ beta {2}new\n$/)
  })

  test('an equal folder is unchanged, and no release is made', async () => {
    expect(await hub.cli('datasets', 'release', 'datasets.d', '-m', 'again')).toMatchObject({
      code: 0,
      out: 'unchanged: the contents are those of r1\n',
    })
  })

  test('plan and --dry-run say what would happen and change nothing', async () => {
    const folder = fragments({ 'a.xml': gridDataset('alpha', '<reloadEveryNMinutes>60</reloadEveryNMinutes>') })
    const plan = await hub.cli('datasets', 'plan', folder)
    expect(plan.code).toBe(0)
    expect(plan.out).toMatch(
      /^would be released {2}2 datasets: 1 (soft|hard) reload\n {2}[~!] alpha .*reloadEveryNMinutes/,
    )
    const dry = await hub.cli('datasets', 'release', folder, '-m', 'x', '--dry-run', '--json')
    expect(json(dry.out)).toMatchObject({ kind: 'plan', changed: true, previous: 1 })
    expect(json((await hub.cli('status', '--json')).out)).toMatchObject({ desired: { number: 1 } })
  })

  test('a change prints how to undo it', async () => {
    const { code, out } = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'more often')
    expect(code).toBe(0)
    expect(out).toMatch(/^r2 {2}/)
    expect(out).toMatch(/\nundo: flotilla rollback r1\n$/)
  })

  test('a broken fragment is refused with file, line and column, and nothing changes', async () => {
    const folder = fragments({ 'b.xml': gridDataset('beta').replace('</dataset>', '</datset>') })
    const { code, out, err } = await hub.cli('datasets', 'release', folder, '-m', 'oops')
    expect(code).toBe(4)
    expect(out).toBe('')
    expect(err).toMatch(/^b\.xml:\d+:\d+: error: /)
    expect(err).toContain('nothing was changed')
    expect(err).toContain('--quarantine')
    expect(err).toContain('docs/reference/errors.md#CHECK_FAILED')
    expect(json((await hub.cli('status', '--json')).out)).toMatchObject({ desired: { number: 2 } })
  })

  test('the refusal is one JSON object with its problems where JSON is asked for', async () => {
    const { code, out, err } = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'oops', '--json')
    expect(code).toBe(4)
    expect(out).toBe('')
    expect(json(err)).toMatchObject({
      kind: 'error',
      code: 'CHECK_FAILED',
      problems: [{ file: 'b.xml', line: expect.any(Number) }],
    })
  })

  test('--quarantine keeps the last good version of a broken file, and says so', async () => {
    fragments({ 'a.xml': gridDataset('alpha') })
    const { code, out } = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'partly', '--quarantine')
    expect(code).toBe(0)
    expect(out).toMatch(/b\.xml:\d+: quarantined, its version of r\d is kept: /)
    expect((await hub.cli('history')).out).toContain('partly (1 quarantined)')
  })

  test('a folder that is gone is never taken for "everything removed"', async () => {
    const { code, err } = await hub.cli('datasets', 'release', 'nowhere', '-m', 'x')
    expect(code).toBe(4)
    expect(err).toContain('SOURCE_VANISHED')
  })

  test('the guard holds up a release that removes much, plan shows what, and a confirmation lets it through', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 12 }, (_, index) => [`m${index}.xml`, gridDataset(`many${index}`)]),
    )
    fragments({ ...many, 'b.xml': gridDataset('beta') })
    expect((await hub.cli('datasets', 'release', 'datasets.d', '-m', 'many')).code).toBe(0)
    fragments(Object.fromEntries(Object.keys(many).map((name) => [name, undefined])))
    expect(await hub.cli('datasets', 'release', 'datasets.d', '-m', 'less')).toMatchObject({
      code: 4,
      err: expect.stringContaining('--confirm-removal'),
    })
    const plan = await hub.cli('datasets', 'plan', 'datasets.d')
    expect(plan).toMatchObject({
      code: 4,
      out: expect.stringContaining('- many3'),
      err: expect.stringContaining('GUARD'),
    })
    const released = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'less', '--confirm-removal')
    expect(released).toMatchObject({ code: 0, out: expect.stringContaining('- many3  removed') })
  })

  test('rollback goes back one release, as a new one, and prints how to undo that', async () => {
    fragments({ 'b.xml': undefined })
    expect((await hub.cli('datasets', 'release', 'datasets.d', '-m', 'less')).code).toBe(0)
    const before = json((await hub.cli('status', '--json')).out)['desired'] as { number: number }
    const { code, out } = await hub.cli('rollback', '-m', 'beta is needed')
    expect(code).toBe(0)
    expect(out).toContain(`r${before.number + 1}  back to r${before.number - 1}: "`)
    expect(out).toContain(`r${before.number + 1}  2 datasets: 1 new`)
    expect(out).toContain(`undo: flotilla rollback r${before.number}`)
    expect((await hub.cli('history', '--limit', '1')).out).toContain(`beta is needed (back to r${before.number - 1})`)
  })

  test('rollback typed again goes back further, and never to the release it was to leave', async () => {
    const first = await startCliHub()
    try {
      for (const [index, text] of ['one', 'two', 'bad'].entries()) {
        const extra = `<reloadEveryNMinutes>${index + 20}</reloadEveryNMinutes>`
        mkdirSync(join(first.folder, 'd'), { recursive: true })
        writeFileSync(join(first.folder, 'd', 'a.xml'), gridDataset('alpha', extra))
        expect((await first.cli('datasets', 'release', 'd', '-m', text)).code).toBe(0)
      }
      expect((await first.cli('rollback')).out).toContain('r4  back to r2: "two"\n')
      expect((await first.cli('rollback')).out).toContain('r5  back to r1: "one"\n')
      expect(await first.cli('rollback')).toMatchObject({
        code: 1,
        err: expect.stringMatching(/r5 has the contents of r1, the first release.*\n.*flotilla history/),
      })
      expect((await first.cli('rollback', 'r4')).out).toContain('r6  back to r4: "back to r2"\n')
      expect((await first.cli('rollback')).out).toContain('r7  back to r1: "one"\n')
    } finally {
      await first.close()
    }
  })

  test('rollback to a named release, and to one that never was', async () => {
    expect(await hub.cli('rollback', 'r1')).toMatchObject({ code: 0 })
    expect(await hub.cli('rollback', 'r999')).toMatchObject({ code: 1, err: expect.stringContaining('NOT_FOUND') })
    expect(await hub.cli('rollback', 'first')).toMatchObject({
      code: 2,
      err: expect.stringContaining('"first" is not a release'),
    })
  })

  test('without a node, --wait says that nobody will come', async () => {
    fragments({
      'a.xml': gridDataset('alpha', '<reloadEveryNMinutes>7</reloadEveryNMinutes>'),
      'b.xml': gridDataset('beta'),
    })
    const { code, out, err } = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'x', '--wait')
    expect(code).toBe(3)
    expect(out).toContain('NO NODES')
    expect(err).toContain('flotilla token join-code')
  })

  test('with --json and --wait the standard output is one object, and how it ended is said beside it', async () => {
    fragments({ 'c.xml': gridDataset('gamma') })
    const { out, err } = await hub.cli('datasets', 'release', 'datasets.d', '-m', 'y', '--wait', '--json')
    expect(JSON.parse(out)).toMatchObject({ kind: 'release', changed: true })
    expect(err).toContain('NO NODES')
  })
})

test('a tree that is mistyped is answered with those there are, and what to type names the tree', async () => {
  const { code, out } = await hub.cli('status', '--tree', 'dataset')
  expect(code).toBe(3)
  expect(out).toBe(
    'NOTHING RELEASED in dataset\ntrees here: datasets\n\n' +
      'next: flotilla datasets release DIR -m "first release" --tree dataset\n',
  )
  expect(await hub.cli('status', '--tree', '../x')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--tree takes 1 to 64 of a-z'),
  })
})

describe('looking at datasets', () => {
  test('list shows the current release, another release, or a folder', async () => {
    expect((await hub.cli('datasets', 'list')).out).toMatch(
      /^DATASET +TYPE +ACTIVE +WHERE\nalpha +EDDGridFromNcFiles +yes +a\.xml:1\n/,
    )
    expect(json((await hub.cli('datasets', 'list', '--release', 'r1', '--json')).out)).toMatchObject({
      kind: 'datasets',
      release: 1,
    })
    expect((await hub.cli('datasets', 'list', 'datasets.d')).out).toContain('beta')
    expect(await hub.cli('datasets', 'list', 'datasets.d', '--release', 'r1')).toMatchObject({ code: 2 })
  })

  test('diff compares the last two releases, any two, or a folder with the current one', async () => {
    expect((await hub.cli('datasets', 'diff')).out).toMatch(/^r\d+ → r\d+: /)
    expect((await hub.cli('datasets', 'diff', 'r1', 'r2')).out).toMatch(
      /^r1 → r2: 1 (soft|hard) reload\n.*alpha.*\nfiles:\n {2}changed {2}a\.xml\n$/s,
    )
    expect((await hub.cli('datasets', 'diff', 'datasets.d')).out).toMatch(/→ datasets\.d: no dataset changes\n$/)
    expect(json((await hub.cli('datasets', 'diff', 'r1', 'r2', '--json')).out)).toMatchObject({
      kind: 'diff',
      from: 'r1',
      to: 'r2',
    })
    expect(await hub.cli('datasets', 'diff', 'r1', 'r9999')).toMatchObject({ code: 1 })
    expect(await hub.cli('datasets', 'diff', 'datasets.d', 'r1')).toMatchObject({ code: 2 })
  })

  test('a dataset that is not there is answered with the one that was meant', async () => {
    expect(await hub.cli('datasets', 'deactivate', 'alhpa')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Did you mean "alpha"?'),
    })
    expect(await hub.cli('why', 'alhpa')).toMatchObject({
      code: 1,
      err: expect.stringContaining('Did you mean "alpha"?'),
    })
    expect(await hub.cli('datasets', 'reload', 'xyzzy')).toMatchObject({
      code: 1,
      err: expect.stringContaining('flotilla datasets list'),
    })
  })

  test('deactivate and activate are releases of their own', async () => {
    const off = await hub.cli('datasets', 'deactivate', 'beta', '-m', 'broken sensor')
    expect(off).toMatchObject({
      code: 0,
      out: expect.stringContaining('  - beta  switched off: unloaded everywhere\n'),
    })
    expect(off.out).toContain(': 1 switched off\n')
    expect((await hub.cli('datasets', 'list')).out).toMatch(/beta +EDDGridFromNcFiles +no/)
    expect(await hub.cli('datasets', 'activate', 'beta')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/: 1 switched on\n {2}\+ beta {2}switched on\nundo:/),
    })
  })

  test('reload and clear-cache ask every node, and need to be told what for', async () => {
    expect(await hub.cli('datasets', 'reload', 'alpha', 'beta', '--flag', 'hard')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^every node was asked to reload 2 datasets \(hard\), revision \d+\n$/),
    })
    expect(await hub.cli('datasets', 'reload', '--all')).toMatchObject({ code: 0 })
    expect(await hub.cli('datasets', 'reload')).toMatchObject({
      code: 2,
      err: expect.stringContaining('which datasets?'),
    })
    expect(await hub.cli('datasets', 'reload', '--all', 'alpha')).toMatchObject({ code: 2 })
    expect(await hub.cli('datasets', 'clear-cache')).toMatchObject({ code: 0 })
    expect(json((await hub.cli('datasets', 'clear-cache', 'alpha', '--json')).out)).toMatchObject({ kind: 'request' })
  })
})

describe('nodes', () => {
  const release = async (): Promise<number> =>
    (json((await hub.cli('status', '--json')).out)['desired'] as { number: number }).number

  test('status shows each node with a sign and a word, what is wrong where, and what to type next', async () => {
    const current = await release()
    await hub.node('erd1', { staged: current, applied: current, served: current })
    expect(await hub.cli('status')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^IN STEP r\d+, 1\/1 nodes prove it\n.* by admin, .*\n\nNODE.*\nerd1 +✓ in step/),
    })
    const problem = { severity: 'error', code: 'TAG_UNKNOWN', file: 'b.xml', line: 7, message: 'no such tag' } as const
    await hub.node(
      'erd2',
      {
        state: 'failed',
        staged: current,
        applied: current,
        served: current - 1,
        progress: { done: 1, total: 2 },
        troubled: { beta: { state: 'failed', problem } },
      },
      { alpha: 'served', beta: 'failed' },
    )
    const { code, out } = await hub.cli('status')
    expect(code).toBe(3)
    expect(out).toMatch(/^NOT IN STEP r\d+, 1\/2 nodes prove it; erd2: beta: no such tag\n/)
    expect(out).toMatch(
      new RegExp(
        `erd2 +✗ failed +served r${current - 1}, applied r${current}, staged r${current} +1/2 .* b\\.xml:7: beta: no such tag`,
      ),
    )
    expect(out).toMatch(/\nnext: flotilla why beta\n$/)
  })

  test('why tells where a dataset is from, what changed it and what each node says', async () => {
    const { code, out } = await hub.cli('why', 'beta')
    expect(code).toBe(3)
    expect(out).toMatch(/^beta {2}EDDGridFromNcFiles\n {2}defined in b\.xml:1\n\nNODE +STATE +WHY\nerd1 +/)
    expect(out).toMatch(/erd2 +✗ failed +b\.xml:7: no such tag/)
    expect(out).toMatch(/RELEASE +WHEN +BY +CHANGE +MESSAGE\n/)
    expect(json((await hub.cli('why', 'beta', '--json')).out)).toMatchObject({ kind: 'why', dataset: 'beta' })
  })

  test('--watch in a pipe prints a line for every change, and ends with the state', async () => {
    const stop = new AbortController()
    const watching = runCli(['status', '--watch'], {
      env: { FLOTILLA_URL: hub.url, FLOTILLA_TOKEN_FILE: hub.tokenFile },
      signal: stop.signal,
    })
    await hub.cli('status')
    await new Promise((resolve) => setTimeout(resolve, 300))
    stop.abort()
    const { code, out } = await watching
    expect(code).toBe(3)
    expect(out).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z NOT IN STEP r\d+/)
  })

  test('forget removes a node; a second time there is none', async () => {
    expect(await hub.cli('nodes', 'forget', 'erd2')).toMatchObject({
      code: 0,
      out: expect.stringContaining('erd2 is forgotten'),
    })
    expect(await hub.cli('nodes', 'forget', 'erd2')).toMatchObject({
      code: 1,
      err: expect.stringContaining('NOT_FOUND'),
    })
    expect((await hub.cli('nodes')).out).not.toContain('erd2')
    expect((await hub.cli('nodes', 'forget', 'edr1')).err).toContain('Did you mean "erd1"?')
    expect((await hub.cli('nodes', 'forget', 'nosuch')).err).toContain('Nodes here: erd1.')
    expect((await hub.cli('nodes', 'forget', '../x')).err).toContain('there is no node ../x')
  })

  test('doctor finds everything in order, with JSON too', async () => {
    const { code, out } = await hub.cli('doctor')
    expect(out).toContain('✓ ok    token: admin')
    expect(code).toBe(0)
    const answer = json((await hub.cli('doctor', '--json')).out)
    expect(answer).toMatchObject({ kind: 'doctor', failed: 0 })
    expect((answer['checks'] as unknown[]).length).toBeGreaterThanOrEqual(8)
  })
})

test('status tells of a folder that is followed and refused', async () => {
  const folder = join(hub.folder, 'followed')
  mkdirSync(folder)
  writeFileSync(join(folder, 'a.xml'), '<dataset')
  const source = { folder, kind: 'erddap', interval: 200, quarantine: false } as const
  const follows = await startCliHub({ sources: { datasets: source } })
  try {
    let out = ''
    for (let tries = 0; tries < 100 && !out.includes('refused'); tries++) {
      out = (await follows.cli('status')).out
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(out).toMatch(/\nrefused .*followed, .*: a\.xml:1:\d+: .*\n {2}a\.xml:1:\d+: error: /)
    expect(json((await follows.cli('status', '--json')).out)).toMatchObject({ folder: { folder, state: 'refused' } })
  } finally {
    await follows.close()
  }
})

describe('tokens', () => {
  const as = async (role: string): Promise<(...argv: readonly string[]) => ReturnType<CliHub['cli']>> => {
    const file = join(hub.folder, `${role}.token`)
    rmSync(file, { force: true })
    const { code } = await hub.cli('token', 'create', '--label', role, '--role', role, '--out', file)
    expect(code).toBe(0)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    return (...argv) => runCli([...argv, '--token-file', file], { env: { FLOTILLA_URL: hub.url }, cwd: hub.folder })
  }

  test('a reader sees everything and changes nothing', async () => {
    const reader = await as('reader')
    expect((await reader('status')).code).toBe(0)
    expect((await reader('history')).code).toBe(0)
    expect((await reader('why', 'alpha')).code).toBeLessThan(4)
    expect((await reader('proxy', 'explain', '/erddap/info/alpha/index.csv')).code).toBeLessThan(4)
    for (const argv of [
      ['rollback', 'r1'],
      ['datasets', 'reload', '--all'],
      ['datasets', 'deactivate', 'alpha'],
      ['token', 'list'],
      ['token', 'join-code'],
      ['nodes', 'forget', 'erd1'],
    ]) {
      expect(await reader(...argv), argv.join(' ')).toMatchObject({
        code: 6,
        err: expect.stringContaining('FORBIDDEN'),
      })
    }
  })

  test('a releaser releases, and its label is the author', async () => {
    const releaser = await as('releaser')
    fragments({ 'a.xml': gridDataset('alpha', '<reloadEveryNMinutes>8</reloadEveryNMinutes>') })
    expect((await releaser('datasets', 'release', 'datasets.d', '-m', 'mine')).code).toBe(0)
    expect((await hub.cli('history', '--limit', '1')).out).toMatch(/ releaser .* mine\n$/)
    expect((await releaser('token', 'create', '--label', 'x', '--scope', 'write:')).code).toBe(6)
  })

  test('a release of a folder that lacks what somebody else just changed says what it takes back', async () => {
    const releaser = await as('releaser')
    const every = (minutes: number) => gridDataset('alpha', `<reloadEveryNMinutes>${minutes}</reloadEveryNMinutes>`)
    const files = { 'a.xml': every(31), 'b.xml': gridDataset('beta'), 'c.xml': gridDataset('gamma') }
    const [theirs, mine] = [fragments(files, 'theirs'), fragments(files, 'mine')]
    expect((await hub.cli('datasets', 'release', mine, '-m', 'both have it')).code).toBe(0)
    fragments({ 'a.xml': every(32) }, theirs)
    expect((await releaser('datasets', 'release', theirs, '-m', 'theirs')).out).not.toContain('takes back')
    fragments({ 'b.xml': gridDataset('beta', '<reloadEveryNMinutes>33</reloadEveryNMinutes>') }, mine)
    const note = /\nnote: this takes back what r\d+ by releaser changed .*: alpha\n/
    expect((await hub.cli('datasets', 'plan', mine)).out).toMatch(note)
    const dry = await hub.cli('datasets', 'release', mine, '-m', 'mine', '--dry-run', '--json')
    expect(json(dry.out)).toMatchObject({ takesBack: { author: 'releaser', datasets: ['alpha'] } })
    expect((await hub.cli('datasets', 'release', mine, '-m', 'mine')).out).toMatch(note)
  })

  test('a token is printed alone, so that it can be kept, and never again', async () => {
    const { code, out, err } = await hub.cli('token', 'create', '--label', 'ci', '--scope', 'read:node/', '--ttl', '1h')
    expect(code).toBe(0)
    expect(out).toMatch(/^flt_[0-9a-f]{16}_[\w-]{43}\n$/)
    const id = out.split('_')[1] ?? ''
    expect(err).toContain(`undo: flotilla token revoke ${id}`)
    const list = await hub.cli('token', 'list')
    expect(list.out).toContain(id)
    expect(list.out).not.toContain(out.trim())
    expect((await hub.cli('token', 'revoke', id)).code).toBe(0)
    expect(await hub.cli('token', 'revoke', id)).toMatchObject({ code: 1, err: expect.stringContaining('NOT_FOUND') })
  })

  test.for([
    [undefined, 'there is no file'],
    ['', 'does not hold a token'],
    ['flt_0123456789abcdef_wrong', 'the token is wrong, expired or revoked'],
  ] as const)('a token file that holds %j says what is wrong and what to name', async ([content, message]) => {
    const file = join(hub.folder, 'bad.token')
    rmSync(file, { force: true })
    if (content !== undefined) writeFileSync(file, content, { mode: 0o600 })
    const { code, err } = await hub.cli('status', '--token-file', file)
    expect(code).toBeGreaterThan(0)
    expect(err).toContain(message)
    expect(err).toContain(file)
    expect(err).toMatch(/→ .*--token-file FILE or FLOTILLA_TOKEN_FILE/)
  })

  test('https to a hub without TLS is answered with the address to use', async () => {
    const { code, err } = await hub.cli('status', '--url', hub.url.replace('http:', 'https:'))
    expect(code).toBe(7)
    expect(err).toContain('does not speak TLS')
    expect(err).toContain(`its address is ${hub.url}\n`)
    expect(err).not.toMatch(/ssl|routines/i)
  })

  test.for([
    [['token', 'revoke', 'nosuch'], '"nosuch" is not the id of a token'],
    [['token', 'create', '--label', 'x'], 'a token without scopes can do nothing'],
    [['token', 'create', '--label', 'x', '--scope', 'admin'], '"admin" is not a scope'],
    [['token', 'create', '--label', 'x', '--role', 'reader', '--ttl', 'soon'], '--ttl takes a time'],
    [['token', 'create', '--label', 'x', '--role', 'admin'], '--role takes reader, releaser'],
    [['token', 'create', '--role', 'reader'], '--label is required'],
    [['token', 'revoke'], 'ID is missing'],
    [['history', '--limit', 'many'], '--limit takes a number'],
    [['datasets', 'list', '--release', '0'], '"0" is not a release'],
    [['datasets', 'release', 'd', '-m', 'x', '--wait', '--timeout', 'long'], '--timeout takes a time'],
  ] as const)('a mistake is a usage error before anything is asked: %s', async ([argv, message]) => {
    const { code, err } = await runCli(argv, {
      env: { FLOTILLA_URL: hub.url, FLOTILLA_TOKEN_FILE: hub.tokenFile },
      cwd: hub.folder,
    })
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  test('join-code prints the code alone, and the whole line for the other server', async () => {
    const { out, err } = await hub.cli('token', 'join-code')
    expect(out).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\n$/)
    expect(err).toContain(`flotilla join ${hub.url} ${out.trim()} --node NAME --content-dir DIR\n`)
    expect(err).toContain('--erddap-url URL')
    expect(json((await hub.cli('token', 'join-code', '--json')).out)).toMatchObject({
      kind: 'join-code',
      code: expect.any(String),
    })
  })

  test('whoami says what the token may do', async () => {
    expect((await hub.cli('token', 'whoami')).out).toMatch(
      /^token [0-9a-f]{16}: admin\nvalid for ever\n {2}read:\n {2}write:\n$/,
    )
  })
})

describe('finding the hub and the token', () => {
  beforeEach(() => {
    rmSync(join(hub.folder, '.flotilla'), { recursive: true, force: true })
  })

  test('no hub: exit 7, with what was tried', async () => {
    const { code, err } = await runCli(['status', '--token-file', hub.tokenFile, '--url', 'http://127.0.0.1:9'], {
      cwd: hub.folder,
    })
    expect(code).toBe(7)
    expect(err).toContain('http://127.0.0.1:9')
    expect(err).toContain('UNREACHABLE')
  })

  test('no token: exit 6, with the ways to give one', async () => {
    const { code, err } = await runCli(['status'], { cwd: hub.folder })
    expect(code).toBe(6)
    expect(err).toContain('FLOTILLA_TOKEN_FILE')
    expect(err).toContain('--token-file')
  })

  test('a wrong token, and one that others can read: exit 6', async () => {
    const file = join(hub.folder, 'bad.token')
    writeFileSync(file, `flt_0123456789abcdef_${'x'.repeat(43)}\n`, { mode: 0o600 })
    const env = { FLOTILLA_URL: hub.url, FLOTILLA_TOKEN_FILE: file }
    expect(await runCli(['status'], { env, cwd: hub.folder })).toMatchObject({
      code: 6,
      err: expect.stringContaining('UNAUTHENTICATED'),
    })
    chmodSync(file, 0o644)
    expect(await runCli(['status'], { env, cwd: hub.folder })).toMatchObject({
      code: 6,
      err: expect.stringContaining(`chmod 600 ${file}`),
    })
  })

  test('beside the hub of this folder nothing has to be said, and its token goes to no other hub', async () => {
    mkdirSync(join(hub.folder, '.flotilla'))
    writeFileSync(join(hub.folder, '.flotilla/url'), `${hub.url}\n`)
    writeFileSync(join(hub.folder, '.flotilla/admin.token'), readFileSync(hub.tokenFile), { mode: 0o600 })
    expect((await runCli(['nodes'], { cwd: hub.folder })).code).toBe(0)
    expect(await runCli(['nodes', '--url', 'http://127.0.0.1:9'], { cwd: hub.folder })).toMatchObject({ code: 6 })
  })
})

test('no command ever prints the token it uses', async () => {
  const token = readFileSync(hub.tokenFile, 'utf8').trim()
  for (const argv of [
    ['status'],
    ['status', '--json'],
    ['token', 'list', '--json'],
    ['token', 'whoami', '--json'],
    ['doctor', '--json'],
    ['nodes', '--json'],
  ]) {
    const { out, err } = await hub.cli(...argv, '--debug')
    expect(out + err).not.toContain(token)
  }
})
