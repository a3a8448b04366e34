import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runCli } from './helpers/cli.ts'
import { gridDataset } from './helpers/erddap-tree.ts'
import { temporaryFolder, writeFiles } from './helpers/folder.ts'
import { needs } from './helpers/needs.ts'
import { powerless } from './helpers/powerless.ts'

/** Commands that need no hub. */

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>

describe('datasets check', () => {
  test('a clean folder: one line, exit 0', async () => {
    const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha'), 'd/b.xml': gridDataset('beta') })
    expect(await runCli(['datasets', 'check', 'd'], { cwd })).toEqual({
      code: 0,
      out: '2 datasets in 2 files: 0 errors, 0 warnings\n',
      err: '',
    })
  })

  test('findings stand sorted by place, errors last and next to the summary; exit 4', async () => {
    const cwd = temporaryFolder({
      'd/b.xml': gridDataset('twice'),
      'd/a.xml': gridDataset('twice'),
      'd/c.xml': '<dataset type="EDDGridFromNcFiles" datasetID="c"',
    })
    const { code, out } = await runCli(['datasets', 'check', 'd'], { cwd })
    expect(code).toBe(4)
    const lines = out.trimEnd().split('\n')
    expect(lines.at(-1)).toMatch(/^\d datasets? in \d files?: 2 errors, \d warnings?$/)
    const places = lines.filter((line) => line.includes(': error: ')).map((line) => line.split(':')[0])
    expect(places).toEqual(['b.xml', 'c.xml'])
    expect(out).toMatch(/^b\.xml:1(?::\d+)?: error: .*a\.xml.* \[ID_DUPLICATE\]$/m)
  })

  test('as JSON: the counts and every finding', async () => {
    const cwd = temporaryFolder({ 'd/a.xml': '<dataset>', 'd/b.xml': gridDataset('beta') })
    const { code, out } = await runCli(['datasets', 'check', 'd', '--json'], { cwd })
    expect(code).toBe(4)
    expect(json(out)).toMatchObject({
      kind: 'check',
      datasets: 1,
      files: 1,
      errors: 1,
      problems: [{ severity: 'error', code: 'XML_MALFORMED', file: 'a.xml', line: 1 }],
    })
  })

  test('--here warns of paths that are missing on this machine', async () => {
    const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha', '<fileDir>${node.data}/nowhere/</fileDir>') })
    const { code, out } = await runCli(['datasets', 'check', 'd', '--here', '--value', 'data=/nonexistent'], { cwd })
    expect(code).toBe(0)
    expect(out).toMatch(/^a\.xml:\d+:?\d*: warning: .*\/nonexistent\/nowhere.* \[PATH_MISSING\]$/m)
  })

  test('a folder that is not there', async () => {
    const { code, err } = await runCli(['datasets', 'check', 'nope'], { cwd: temporaryFolder() })
    expect(code).toBe(4)
    expect(err).toContain('nope')
  })
})

describe('datasets compile', () => {
  test('writes the file, says what it did, and leaves an equal file untouched', async () => {
    const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha') })
    const first = await runCli(['datasets', 'compile', '--from', 'd', '--to', 'out.xml'], { cwd })
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/out\.xml: changed, 1 dataset, \d+ bytes\n$/) })
    const { ino, mtimeMs } = statSync(join(cwd, 'out.xml'))
    const second = await runCli(['datasets', 'compile', '--from', 'd', '--to', 'out.xml'], { cwd })
    expect(second).toMatchObject({ code: 0, out: expect.stringContaining('out.xml: unchanged') })
    expect(statSync(join(cwd, 'out.xml'))).toMatchObject({ ino, mtimeMs })
    expect(readFileSync(join(cwd, 'out.xml'), 'utf8')).toMatch(
      /^<\?xml version="1\.0" encoding="UTF-8" \?>\n<erddapDatasets>/,
    )
  })

  test('--to - is a plain filter: the bytes and nothing else', async () => {
    const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha') })
    await runCli(['datasets', 'compile', '--from', 'd', '--to', 'out.xml'], { cwd })
    const { code, out, err } = await runCli(['datasets', 'compile', '--from', 'd', '--to', '-'], { cwd })
    expect({ code, out, err }).toEqual({ code: 0, out: readFileSync(join(cwd, 'out.xml'), 'utf8'), err: '' })
  })

  test.runIf(existsSync('/dev/full')).each([
    ['datasets compile --from d --to -', 'error: standard output: no space is left\n'],
    ['datasets list d --json', '"message":"standard output: no space is left"'],
  ])('%s on a full disk: exit 1, and why; a reader that goes away is no error', (line, message) => {
    const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha') })
    const program = `${process.execPath} ${join(import.meta.dirname, '../src/bin.ts')} ${line}`
    const sh = (script: string) => spawnSync('sh', ['-c', script], { cwd, encoding: 'utf8' })
    expect(sh(`${program} > /dev/full`)).toMatchObject({ status: 1, stderr: expect.stringContaining(message) })
    expect(sh(`{ ${program}; echo $? >&2; } | true`).stderr).toBe('0\n')
  })

  test('a broken fragment: exit 4, and the old file stays', async () => {
    const cwd = temporaryFolder({ 'd/a.xml': '<dataset', 'out.xml': 'old' })
    const { code, err } = await runCli(['datasets', 'compile', '--from', 'd', '--to', 'out.xml'], { cwd })
    expect(code).toBe(4)
    expect(err).toContain('a.xml:1:')
    expect(readFileSync(join(cwd, 'out.xml'), 'utf8')).toBe('old')
  })

  test('node values come from --value, over a file of values; a missing one is named with what to type', async () => {
    const cwd = temporaryFolder({
      'd/a.xml': gridDataset('alpha', '<fileDir>${node.data}/${node.sub}</fileDir>'),
      'values.yaml': 'data: /from/file\nsub: x\n',
    })
    const compile = (...more: string[]) => runCli(['datasets', 'compile', '--from', 'd', '--to', '-', ...more], { cwd })
    expect((await compile('--values', 'values.yaml', '--value', 'sub=y')).out).toContain(
      '<fileDir>/from/file/y</fileDir>',
    )
    const { code, err } = await compile('--value', 'data=/d')
    expect(code).toBe(4)
    expect(err).toContain('"sub"')
    expect(err).toContain('--value NAME=VALUE')
  })

  test('a template of one’s own stands around the datasets', async () => {
    const template =
      '<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n<cacheMinutes>7</cacheMinutes>\n</erddapDatasets>\n'
    const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha'), 't.xml': template })
    const { out } = await runCli(['datasets', 'compile', '--from', 'd', '--to', '-', '--template', 't.xml'], { cwd })
    expect(out).toContain('<cacheMinutes>7</cacheMinutes>')
    expect(out).toContain('datasetID="alpha"')
  })

  test.for([
    [['--to', '-', '--json'], 2, 'would mix'],
    [['--to', 'no/such/folder/out.xml'], 1, 'there is no such file or folder'],
    [['--to', 'out.xml', '--template', 'missing.xml'], 1, 'missing.xml: there is no such file or folder'],
    [['--to', 'out.xml', '--value', 'data'], 2, '--value takes NAME=VALUE'],
    [['--to', 'out.xml', '--values', 'missing.yaml'], 1, 'missing.yaml: there is no such file'],
  ] as const)('a mistake: %s', async ([more, exit, message]) => {
    const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha') })
    const { code, err } = await runCli(['datasets', 'compile', '--from', 'd', ...more], { cwd })
    expect(code).toBe(exit)
    expect(err).toContain(message)
    expect(existsSync(join(cwd, 'out.xml'))).toBe(false)
  })
})

describe('config', () => {
  test('check says that a file is valid, and whose it is', async () => {
    const cwd = temporaryFolder({ 'hub.yaml': 'listen: 127.0.0.1:1\n', 'agent.yaml': 'node: a\nhub: http://h\n' })
    expect((await runCli(['config', 'check', 'hub.yaml'], { cwd })).out).toBe(
      'hub.yaml is a valid configuration of a hub\n',
    )
    expect((await runCli(['config', 'check', 'agent.yaml'], { cwd })).out).toBe(
      'agent.yaml is a valid configuration of an agent\n',
    )
  })

  test('check lists every mistake with its place and the way out; exit 2', async () => {
    const cwd = temporaryFolder({ 'hub.yaml': 'lisen: 127.0.0.1:1\nguardShare: 7\n' })
    const { code, out } = await runCli(['config', 'check', 'hub.yaml'], { cwd })
    expect(code).toBe(2)
    expect(out).toMatch(
      /^hub\.yaml:1:1: error: there is no setting "lisen"\n {4}→ Did you mean "listen"\?\nhub\.yaml:2:1: error: "guardShare"/,
    )
    expect(out).toMatch(/\n2 errors\n$/)
    expect(json((await runCli(['config', 'check', 'hub.yaml', '--json'], { cwd })).out)).toMatchObject({
      valid: false,
      for: 'hub',
    })
  })

  test('show puts file, environment and defaults together, and keeps node values to itself', async () => {
    const cwd = temporaryFolder({ 'agent.yaml': 'node: a\nhub: http://h\nvalues:\n  pw: canary\n' })
    const { code, out } = await runCli(['config', 'show', 'agent.yaml'], { cwd, env: { FLOTILLA_INTERVAL: '5s' } })
    expect(code).toBe(0)
    expect(out).toMatch(/^node +a +agent\.yaml:1$/m)
    expect(out).toMatch(/^interval +5s +FLOTILLA_INTERVAL$/m)
    expect(out).toMatch(/^lease +15s +default$/m)
    expect(out).toMatch(/^values\.pw +\[secret\] +agent\.yaml:4$/m)
    expect(out).not.toContain('canary')
  })

  test.for([
    [['config', 'show'], 2, 'whose configuration?'],
    [['config', 'check', 'missing.yaml'], 1, 'there is no such file'],
    [['config', 'check', 'bad.yaml'], 2, 'bad.yaml:1'],
    [['config', 'check', 'hub.yaml', '--for', 'nobody'], 2, '--for takes hub, agent'],
  ] as const)('a mistake: %s', async ([argv, exit, message]) => {
    const { code, err } = await runCli(argv, { cwd: temporaryFolder({ 'bad.yaml': 'a: [', 'hub.yaml': '' }) })
    expect(code).toBe(exit)
    expect(err).toContain(message)
  })
})

describe('join and agent, refused before the code is used', () => {
  const prepared = () => temporaryFolder({ 'content/setup.xml': '<erddapSetup/>', 'bpd/x': '' })
  const join_ = (cwd: string, ...more: readonly string[]) =>
    runCli(['join', 'http://127.0.0.1:9', 'CODE', '--node', 'erd1', ...more], { cwd })

  test.for([
    [[], '--content-dir is required'],
    [['--content-dir', 'nowhere', '--big-parent-dir', 'bpd'], '--content-dir: there is no folder'],
    [['--content-dir', 'content'], '--big-parent-dir is missing'],
    [['--content-dir', 'content', '--big-parent-dir', 'nowhere'], '--big-parent-dir: there is no folder'],
    [['--content-dir', 'content', '--big-parent-dir', 'bpd', '--erddap-url', 'localhost'], 'targets.datasets.url'],
    [['--content-dir', 'content', '--big-parent-dir', 'bpd', '--value', 'name=x'], 'values.name'],
    [['--content-dir', 'content', '--big-parent-dir', 'bpd', '--value', 'x'], '--value takes NAME=VALUE'],
  ] as const)('%s', async ([more, message]) => {
    const { code, err } = await join_(prepared(), ...more)
    expect(err).toContain(message)
    expect(code).toBe(2)
  })

  test('without an ERDDAP nothing has to be said of one, if that is meant', async () => {
    expect(await join_(prepared(), '--only-proxy')).toMatchObject({
      code: 7,
      err: expect.stringContaining('http://127.0.0.1:9'),
    })
  })

  test('a name that no node can have', async () => {
    const argv = ['join', 'http://h', 'C', '--node', 'Erd 1', '--content-dir', 'content', '--big-parent-dir', 'bpd']
    expect(await runCli(argv, { cwd: prepared() })).toMatchObject({
      code: 2,
      err: expect.stringContaining('--node takes a name'),
    })
  })

  test('a state folder that has a node already', async () => {
    const cwd = prepared()
    writeFiles(cwd, { '.flotilla/nodes/erd1/agent.yaml': '' })
    const { code, err } = await join_(cwd, '--content-dir', 'content', '--big-parent-dir', 'bpd')
    expect(code).toBe(2)
    expect(err).toContain('flotilla agent --state')
    expect(err).toContain('--replace')
  })

  test('with everything right, the hub is asked; bigParentDirectory comes from setup.xml', async () => {
    const cwd = prepared()
    const setup = `<erddapSetup><!-- <bigParentDirectory>/no</bigParentDirectory> --><bigParentDirectory>${cwd}/bpd/</bigParentDirectory></erddapSetup>`
    writeFileSync(join(cwd, 'content/setup.xml'), setup)
    expect(await join_(cwd, '--content-dir', 'content')).toMatchObject({
      code: 7,
      err: expect.stringContaining('http://127.0.0.1:9'),
    })
    expect(existsSync(join(cwd, '.flotilla'))).toBe(false)
  })

  test('no folder is left that was made for it; one that was there stays', async () => {
    const cwd = prepared()
    mkdirSync(join(cwd, 'here'))
    const dirs = ['--content-dir', 'content', '--big-parent-dir', 'bpd']
    for (const state of ['new/state', 'here', 'here/state', 'bpd/state']) {
      expect(await join_(cwd, ...dirs, '--state', state)).toMatchObject({ code: 7 })
    }
    expect(readdirSync(cwd, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual([
      'bpd',
      'bpd/x',
      'content',
      'content/setup.xml',
      'here',
    ])
  })

  test('agent says which state it would need', async () => {
    const cwd = temporaryFolder()
    expect(await runCli(['agent'], { cwd })).toMatchObject({
      code: 2,
      err: expect.stringContaining('no node has joined'),
    })
    expect(await runCli(['agent', '--state', 'x'], { cwd })).toMatchObject({
      code: 1,
      err: expect.stringContaining('Join first'),
    })
    expect(await runCli(['agent', '--state', 'x', '--config', 'y'], { cwd })).toMatchObject({ code: 2 })
    writeFiles(cwd, { '.flotilla/nodes/a/agent.yaml': '', '.flotilla/nodes/b/agent.yaml': '' })
    expect(await runCli(['agent'], { cwd })).toMatchObject({ code: 2, err: expect.stringContaining('several nodes') })
  })

  test('agent refuses a credential that others can read', async () => {
    const cwd = temporaryFolder({ 'agent.yaml': 'node: a\nhub: http://127.0.0.1:9\n', credential: 'flt_x' })
    chmodSync(join(cwd, 'credential'), 0o644)
    const { code, err } = await runCli(['agent', '--config', 'agent.yaml', '--once'], { cwd })
    expect(code).toBe(6)
    expect(err).toContain('chmod 600')
  })
})

describe('up, refused', () => {
  test('a data folder that holds something else', async () => {
    const cwd = temporaryFolder({ 'home/letter.txt': 'x' })
    chmodSync(join(cwd, 'home'), 0o755)
    const { code, err } = await runCli(['up', '--data', 'home'], { cwd })
    expect(code).toBe(2)
    expect(err).toContain('is not empty')
    expect(statSync(join(cwd, 'home')).mode & 0o777).toBe(0o755)
  })

  test('an address that is none', async () => {
    expect(await runCli(['up', '--data', 'x', '--listen', '8470'], { cwd: temporaryFolder() })).toMatchObject({
      code: 2,
      err: expect.stringContaining('--listen takes HOST:PORT'),
    })
  })

  test.for([
    ['127.0.0.1', 'is taken by another program', 1],
    ['192.0.2.1', 'This machine has no such address', 2],
  ] as const)('where it cannot listen, at %s: nothing is made', async ([host, message, exit]) => {
    const other = createServer()
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const { port } = other.address() as AddressInfo
    const cwd = temporaryFolder()
    const { code, err } = await runCli(['up', '--data', 'a/b', '--listen', `${host}:${port}`], { cwd })
    expect(err).toContain(message)
    expect(code).toBe(exit)
    expect(readdirSync(cwd)).toEqual([])
  })

  test('a token file that others can read', async () => {
    const cwd = temporaryFolder()
    mkdirSync(join(cwd, 'd'))
    writeFileSync(join(cwd, 'd/store.db'), '')
    writeFileSync(join(cwd, 'd/admin.token'), 'x', { mode: 0o644 })
    const { code, err } = await runCli(['up', '--data', 'd', '--listen', '127.0.0.1:0'], { cwd })
    expect(code).toBe(6)
    expect(err).toContain('chmod 600')
  })
})

test('what was compiled is kept at home, never among temporary files, where anybody may put something to be run first', async () => {
  const cwd = temporaryFolder({ 'tmp/x': '', 'home/x': '' })
  const TMPDIR = join(cwd, 'tmp')
  for (const env of [{ TMPDIR }, { TMPDIR, HOME: join(cwd, 'home') }]) {
    const { status } = spawnSync(process.execPath, [join(import.meta.dirname, '../src/bin.ts'), 'version'], {
      cwd,
      env,
    })
    expect(status).toBe(0)
  }
  expect(readdirSync(TMPDIR)).toEqual(['x'])
  expect(readdirSync(join(cwd, 'home/.cache'))).toEqual(['flotilla'])
})

const asOther = await needs({ root: true, tools: ['setpriv'] })

asOther('a folder that cannot be written is said so in words, without a stack', async () => {
  const cwd = temporaryFolder({ 'd/a.xml': gridDataset('alpha') })
  chmodSync(cwd, 0o555)
  const program = join(import.meta.dirname, '../src/bin.ts')
  const compile = ['datasets', 'compile', '--from', 'd', '--to', 'out.xml']
  const [command, args] = powerless([process.execPath, program, ...compile])
  const { status, stderr } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' },
  })
  expect(stderr).toMatch(/^error: .*: permission denied\n {2}→ Look at the owner/)
  expect(status).toBe(1)
})
