import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ErddapNode, settled } from '../../../test/helpers/erddap-node.ts'
import { releaseOf } from '../../../test/helpers/erddap-release.ts'
import { filesUnder } from '../../../test/helpers/erddap-tree.ts'
import { FIXTURES, needs } from '../../../test/helpers/needs.ts'
import { files, remote, until } from '../../../standin/erddap/test-kit.ts'
import type { PendingRequest } from '../../core/release.ts'

const A = remote('a', 'A one')
const B = remote('b', 'B one')
const C = remote('c', 'C one')
const request = (parts: Partial<PendingRequest>): PendingRequest => ({
  kind: 'reload',
  item: 'a',
  author: 'x',
  atMs: 0,
  generation: 40,
  ...parts,
})

const template = (license: string) =>
  `<erddapDatasets>\n<standardLicense>${license}</standardLicense>\n</erddapDatasets>`
const secret = (title: string) => remote('s', title, '<accessibleTo>staff</accessibleTo>')
const filesDir = (node: ErddapNode): string => join(node.contentDir, 'flotilla-files')

describe('loads', () => {
  test('a first release is served, and proved, without a flag of ours when ERDDAP starts on it', async () => {
    const node = new ErddapNode()
    const release = releaseOf(1, { 'a.xml': A, 'b.xml': B, 'c.xml': files('c', 'C one', node.data) })
    expect(await node.turn(release)).toMatchObject({ state: 'unproved', staged: 1, applied: 1, served: 0 })
    await node.startLater()
    node.forget()
    const report = await node.inStep(release)
    expect(report).toMatchObject({ served: 1, version: '2.31', progress: { done: 3, total: 3 } })
    // ERDDAP's own: it puts off a dataset without an index at its start.
    expect(node.flags(0)).toEqual(['flag c'])
    expect(statSync(node.datasetsXml).mode & 0o777).toBe(0o644)
  })

  test('new, softly and hard changed, removed and switched off: each dataset gets exactly what it needs', async () => {
    const node = new ErddapNode()
    const c = files('c', 'C one', node.data)
    const { events, flags } = await settled(
      { 'a.xml': A, 'b.xml': B, 'c.xml': c, 'd.xml': remote('d', 'D'), 'e.xml': remote('e', 'E') },
      node,
    )
    const two = releaseOf(
      2,
      {
        'a.xml': A,
        'b.xml': B.replace('B one', 'B two'),
        'c.xml': c.replace('float', 'double'),
        'e.xml': remote('e', 'E'),
        'f.xml': remote('f', 'F'),
      },
      { active: { e: false }, removed: { d: { type: 'EDDGridFromDap', release: 2 } } },
    )
    const report = await node.inStep(two)
    expect(flags()).toEqual(['hardFlag c', 'flag b', 'flag d', 'flag e', 'flag f'])
    expect(events()).toEqual([
      'loaded b by flag',
      'loaded c by hardFlag',
      'loaded f by flag',
      'unloaded c by hardFlag',
      'unloaded d by flag',
      'unloaded e by flag',
    ])
    const states = Object.entries(report.items).map(([id, { state }]) => `${id} ${state}`)
    expect(states.toSorted()).toEqual(['a served', 'b served', 'c served', 'd inactive', 'e inactive', 'f served'])
    expect(node.erddap?.stats).toMatchObject({ pollsWithSeveralKinds: 0, overlappingLoads: 0, badReads: [] })
  })

  test('a dataset that is switched on again, or comes back, is loaded by its own flag', async () => {
    const { node, events } = await settled({ 'a.xml': A, 'b.xml': B })
    await node.inStep(
      releaseOf(2, { 'a.xml': A }, { active: { a: false }, removed: { b: { type: 'EDDGridFromDap', release: 2 } } }),
    )
    await node.inStep(releaseOf(3, { 'a.xml': A, 'b.xml': B }))
    expect(events()).toEqual(['loaded a by flag', 'loaded b by flag', 'unloaded a by flag', 'unloaded b by flag'])
  })

  test('a dataset that no release knows any more, but ERDDAP still serves, is unloaded', async () => {
    const { node, events, flags } = await settled({ 'a.xml': A, 'b.xml': B })
    await node.inStep(releaseOf(2, { 'a.xml': A }))
    expect([flags(), events()]).toEqual([['hardFlag b'], ['unloaded b by hardFlag']])
  })

  test('only a setting outside of datasets changed: one dataset is reloaded, and the setting is in force', async () => {
    const { node, flags } = await settled({ 'a.xml': A, 'b.xml': B, 'datasets.template.xml': template('one') })
    await node.inStep(releaseOf(2, { 'a.xml': A, 'b.xml': B, 'datasets.template.xml': template('two') }))
    expect(flags()).toHaveLength(1)
    expect(node.erddap?.setting('standardLicense')).toBe('two')
  })

  test('only the order changed: the file is written, nothing is loaded', async () => {
    const { node, flags, events } = await settled({ '1.xml': A, '2.xml': B })
    const report = await node.inStep(releaseOf(2, { '1.xml': B, '2.xml': A }))
    expect(report).toMatchObject({ applied: 2, served: 2 })
    expect(node.xml().indexOf('datasetID="b"')).toBeLessThan(node.xml().indexOf('datasetID="a"'))
    expect([flags(), events()]).toEqual([[], []])
  })

  test('only comments and white space changed: nothing is loaded', async () => {
    const { node, flags } = await settled({ 'a.xml': A })
    await node.inStep(releaseOf(2, { 'a.xml': `<!-- hello -->\n${A.replace('<sourceUrl>', '\n\n  <sourceUrl>')}` }))
    expect(flags()).toEqual([])
  })

  test('a new release with the same definitions writes nothing and sets no flag', async () => {
    const { node, flags } = await settled({ 'a.xml': A, 'b.xml': B })
    const before = statSync(node.datasetsXml)
    const report = await node.inStep(releaseOf(2, { 'a.xml': A, 'b.xml': B }))
    const after = statSync(node.datasetsXml)
    expect([after.mtimeMs, after.ino]).toEqual([before.mtimeMs, before.ino])
    expect(report).toMatchObject({ applied: 2, served: 2 })
    expect(flags()).toEqual([])
  })

  test('a rollback while the change before it is under way ends with what was rolled back to', async () => {
    const { node } = await settled({ 'a.xml': A, 'b.xml': B })
    const two = releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B })
    await node.reach(
      two,
      'a flag',
      () => node.flagCount() > 0 || readdirSync(join(node.bigParentDir, 'flag')).length > 0,
    )
    await node.inStep(releaseOf(3, { 'a.xml': A, 'b.xml': B }))
    const loadedLast = node.erddap?.stats.events.findLast(({ id }) => id === 'a')
    expect(loadedLast?.title).toBe('A one')
  })

  test.for(['2.18', '2.31'])('ERDDAP %s: a change is proved', async (version) => {
    const node = new ErddapNode()
    const sources = { 'a.xml': A, 'c.xml': files('c', 'C', node.data) }
    const { events } = await settled(sources, node, { version })
    const changed = {
      'a.xml': A.replace('A one', 'A two'),
      'c.xml': files('c', 'C', node.data, '<recursive>false</recursive>'),
    }
    expect(await node.inStep(releaseOf(2, changed))).toMatchObject({ version, served: 2 })
    expect(events()).toContain('loaded a by flag')
  })
})

describe('failures', () => {
  test('a definition that does not load is reported at the fragment’s own line, and is served once it is mended', async () => {
    const { node } = await settled({ 'a.xml': A })
    const missing = join(node.root, 'nowhere')
    const bad = releaseOf(2, { 'a.xml': A, 'sub/c.xml': `<!-- one\nmore line -->\n${files('c', 'C', missing)}` })
    const report = await node.reach(bad, 'failed', ({ state }) => state === 'failed')
    expect(report).toMatchObject({ applied: 2, served: 1, progress: { done: 1, total: 2 } })
    expect(report.items['c']?.problem).toMatchObject({
      code: 'LOAD_FAILED',
      file: 'sub/c.xml',
      dataset: 'c',
      message: expect.stringContaining(`0 files found in ${missing}`),
    })
    expect(report.items['c']?.problem?.line).toBeGreaterThan(3)
    expect(report.items['a']).toEqual({ state: 'served' })
    await node.inStep(releaseOf(3, { 'a.xml': A, 'sub/c.xml': files('c', 'C', node.data) }))
  })

  test('a dataset that fails is not tried in a tight loop', async () => {
    const { node, flags } = await settled({ 'a.xml': A })
    const bad = releaseOf(2, { 'a.xml': A, 'c.xml': files('c', 'C', join(node.root, 'nowhere')) })
    await node.reach(bad, 'failed', ({ state }) => state === 'failed')
    for (let turn = 0; turn < 20; turn++) await node.turn(bad)
    node.forget()
    expect(await node.turn(bad)).toMatchObject({ state: 'failed' })
    expect(flags()).toEqual(['flag c'])
  })

  test.for(['2.18', '2.31'])(
    'ERDDAP %s stops at a tag it does not know: the place is named, nothing behind it counts as served',
    async (version) => {
      // A tag that only newer versions know passes the check of a release.
      const newTag = '<erddapDatasets>\n<displayInfo>x</displayInfo>\n</erddapDatasets>'
      const { node } = await settled({ 'a.xml': A, 'b.xml': B }, new ErddapNode(), { version })
      const two = { 'a.xml': A, 'b.xml': B.replace('B one', 'B two'), 'c.xml': C }
      if (version === '2.31') {
        await node.inStep(releaseOf(2, { ...two, 'datasets.template.xml': newTag }))
        return
      }
      const report = await node.reach(
        releaseOf(2, { ...two, 'datasets.template.xml': newTag }),
        'failed',
        ({ state, items }) => state === 'failed' && items['c']?.state === 'failed',
      )
      expect(report.error).toMatchObject({ code: 'LOAD_ABORTED', file: 'datasets.template.xml', line: 2 })
      expect(report.served).toBe(1)
      expect(report.items['b']?.state).toBe('failed')
      expect(report.items['c']?.state).toBe('failed')
      await node.inStep(releaseOf(3, two))
    },
  )

  test('an ERDDAP that takes flags and loads nothing is never reported as serving', async () => {
    const node = new ErddapNode({ flagMs: 400 })
    await settled({ 'a.xml': A, 'b.xml': B }, node)
    node.erddap?.misbehave('stale')
    const two = releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B })
    const report = await node.reach(two, 'failed', ({ state, served }) => {
      expect(served).toBeLessThan(2)
      return state === 'failed'
    })
    expect(report.items['a']?.problem).toMatchObject({ code: 'LOAD_STALE', file: 'a.xml' })
    expect(report.items['b']).toEqual({ state: 'served' })
  })

  test('an ERDDAP that lists what it has not loaded is not believed', async () => {
    const { node } = await settled({ 'a.xml': A })
    node.erddap?.misbehave('lie')
    const bad = releaseOf(2, { 'a.xml': A, 'c.xml': files('c', 'C', join(node.root, 'nowhere')) })
    const report = await node.reach(bad, 'failed', ({ state }) => state === 'failed')
    expect(report.items['c']?.state).toBe('failed')
    expect(report.served).toBe(1)
  })

  test('a dataset that ERDDAP drops later is no longer reported as served', async () => {
    const node = new ErddapNode()
    const { one } = await settled({ 'a.xml': A, 'c.xml': files('c', 'C', node.data) }, node)
    rmSync(join(node.data, 'one.csv'))
    writeFileSync(join(node.bigParentDir, 'flag', 'c'), '')
    await until('it is gone', () => node.erddap?.served().includes('c') === false)
    const report = await node.reach(one, 'failed', ({ state }) => state === 'failed')
    expect(report).toMatchObject({ served: 0, items: { c: { state: 'failed', problem: { code: 'LOAD_FAILED' } } } })
  })

  test('an ERDDAP that does not answer is an answer, in bounded time', async () => {
    const node = new ErddapNode({ timeoutMs: 200 })
    const { one } = await settled({ 'a.xml': A }, node)
    node.erddap?.misbehave('hang')
    expect(await node.turn(one)).toMatchObject({ state: 'unproved', applied: 1, served: 0 })
    node.erddap?.misbehave('none')
    await node.inStep(one)
  })

  test('flags that lie although ERDDAP is idle: it has another bigParentDirectory', async () => {
    const { node } = await settled({ 'a.xml': A })
    const elsewhere = join(node.root, 'elsewhere')
    mkdirSync(elsewhere)
    const lost = new ErddapNode({
      contentDirectory: node.contentDir,
      bigParentDirectory: elsewhere,
      url: node.erddap?.url ?? '',
      flagMs: 200,
    })
    const two = releaseOf(2, { 'a.xml': A.replace('A one', 'A two') })
    const report = await lost.reach(two, 'an error', ({ error }) => error !== undefined)
    expect(report).toMatchObject({
      state: 'failed',
      error: { code: 'CONFIG_INVALID', hint: expect.stringContaining('same ERDDAP') },
    })
  })

  test('a bigParentDirectory that is not there is an error with a hint, and the file is written all the same', async () => {
    const node = new ErddapNode({ bigParentDirectory: '/nonexistent/erddap' })
    const report = await node.turn(releaseOf(1, { 'a.xml': A }))
    expect(report).toMatchObject({ state: 'failed', applied: 1, error: { code: 'CONFIG_INVALID' } })
    expect(node.xml()).toContain('datasetID="a"')
  })

  test.for([
    ['that is not there', undefined],
    ['that goes away', 'later'],
  ])(
    'a content directory %s is an error with a hint and never made; when it is back all goes on',
    async ([, later]) => {
      const node = new ErddapNode()
      const away = join(node.root, 'away')
      const zero = releaseOf(1, { 'a.xml': A })
      const one = releaseOf(2, { 'a.xml': A, 'files/sub/side.txt': 'side' })
      if (later !== undefined) await node.turn(zero)
      renameSync(node.contentDir, away)
      await expect(node.turn(one)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: `contentDirectory ${node.contentDir} is not there`,
        details: { file: node.contentDir, hint: expect.stringContaining('Is the volume mounted?') },
      })
      expect(existsSync(node.contentDir)).toBe(false)
      renameSync(away, node.contentDir)
      expect(await node.turn(one)).toMatchObject({ applied: 2 })
      expect(readFileSync(join(filesDir(node), 'files/sub/side.txt'), 'utf8')).toBe('side')
    },
  )

  test('of a files folder that is configured, only the last part is made', async () => {
    const root = new ErddapNode().root
    const mount = join(root, 'mount')
    const node = new ErddapNode({ filesDirectory: join(mount, 'files') })
    const one = releaseOf(1, { 'a.xml': A, 'files/side.txt': 'side' })
    await expect(node.turn(one)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `${mount} is not there`,
      details: { hint: expect.stringContaining('Is the volume mounted?') },
    })
    expect([existsSync(mount), existsSync(node.datasetsXml)]).toEqual([false, false])
    mkdirSync(mount)
    expect(await node.turn(one)).toMatchObject({ applied: 1 })
    expect(readdirSync(mount)).toEqual(['files'])
  })
})

describe('ERDDAP goes and comes', () => {
  test('changes made while it is down need no flag but the hard one, which it honours as it starts', async () => {
    const node = new ErddapNode()
    const c = files('c', 'C one', node.data)
    const { flags } = await settled({ 'a.xml': A, 'b.xml': B, 'c.xml': c }, node)
    await node.stop()
    const two = releaseOf(2, {
      'a.xml': A.replace('A one', 'A two'),
      'b.xml': B,
      'c.xml': c.replace('float', 'double'),
      'n.xml': remote('n', 'N'),
    })
    expect(await node.turn(two)).toMatchObject({ state: 'unproved', applied: 2, served: 0 })
    expect(readdirSync(join(node.bigParentDir, 'hardFlag'))).toEqual(['c'])
    expect(flags()).toEqual([])
    await node.startLater()
    const report = await node.inStep(two)
    expect(report.served).toBe(2)
    const loads = node.events().filter((event) => event.startsWith('loaded'))
    expect(loads.toSorted()).toEqual([
      'loaded a by major',
      'loaded b by major',
      // The hard flag took the index away, so ERDDAP puts it off as it starts, and flags it itself.
      'loaded c by flag',
      'loaded n by major',
    ])
  })

  test('a restart in between asks for nothing', async () => {
    const { node, one } = await settled({ 'a.xml': A, 'b.xml': B })
    await node.stop()
    expect(await node.turn(one)).toMatchObject({ state: 'unproved' })
    await node.start()
    await node.inStep(one)
    expect(node.flags(0)).toEqual([])
  })

  test('it is killed while it loads', async () => {
    const { node } = await settled({ 'a.xml': A, 'b.xml': B })
    const two = releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B.replace('B one', 'B two') })
    await node.stop()
    await node.start({ loadMs: 150 })
    await node.loaded()
    await node.reach(two, 'a flag is taken', () => node.flagCount() > 0)
    await node.stop()
    await node.start()
    expect(await node.inStep(two)).toMatchObject({ served: 2 })
  })

  test('without its address everything is done and nothing is proved', async () => {
    const { node } = await settled({ 'a.xml': A, 'b.xml': B })
    const blind = new ErddapNode({
      contentDirectory: node.contentDir,
      bigParentDirectory: node.bigParentDir,
      url: undefined,
    })
    const two = releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B, 'c.xml': C })
    const before = node.flagCount()
    await blind.reach(two, 'the load', () => node.erddap?.served().includes('c') === true)
    for (let turn = 0; turn < 10; turn++) {
      expect(await blind.turn(two)).toMatchObject({ state: 'unproved', applied: 2, served: 0 })
    }
    expect(node.flags(before)).toEqual(['flag a', 'flag c'])
  })
})

describe('what others wrote', () => {
  const header = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<erddapDatasets>\n'

  test('adoption: of the datasets that ERDDAP serves already, only those that differ are loaded', async () => {
    const node = new ErddapNode()
    node.overwrite(`${header}${A}\n\n<!-- mine -->\n${B}\n${C}\n</erddapDatasets>\n`)
    await node.start()
    await node.loaded()
    const events = node.eventCount
    const report = await node.inStep(
      releaseOf(1, { 'a.xml': A, 'b.xml': B.replace('B one', 'B two'), 'd.xml': remote('d', 'D') }),
    )
    expect(report.served).toBe(1)
    expect(node.flags(0).toSorted()).toEqual(['flag b', 'flag d', 'hardFlag c'])
    expect(node.events(events).toSorted()).toEqual(['loaded b by flag', 'loaded d by flag', 'unloaded c by hardFlag'])
    const [kept = ''] = readdirSync(join(node.stateDir, 'kept'))
    expect(readFileSync(join(node.stateDir, 'kept', kept), 'utf8')).toContain('<!-- mine -->')
  })

  test('adoption: a definition that ERDDAP read but never loaded is found out by its page', async () => {
    const node = new ErddapNode()
    node.overwrite(`${header}${A}\n${B}\n</erddapDatasets>\n`)
    await node.start()
    await node.loaded()
    node.overwrite(`${header}${A}\n${B.replace('B one', 'B two')}\n</erddapDatasets>\n`)
    writeFileSync(join(node.bigParentDir, 'flag', 'a'), '')
    await until(
      'the edit is read',
      () => node.erddap?.stats.loads.at(-1)?.finishedAtMs !== undefined && node.flagCount() > 0,
    )
    await node.inStep(releaseOf(1, { 'a.xml': A, 'b.xml': B.replace('B one', 'B two') }))
    expect(node.flags(1)).toEqual(['flag b'])
    expect(node.erddap?.stats.events.at(-1)?.title).toBe('B two')
  })

  test('drift: an edited datasets.xml is put back, and only what was edited is loaded again', async () => {
    const { node, one, flags } = await settled({ 'a.xml': A, 'b.xml': B })
    node.overwrite(node.xml().replace('B one', 'B by hand'))
    writeFileSync(join(node.bigParentDir, 'flag', 'b'), '')
    await until('the edit is served', () => node.erddap?.stats.events.at(-1)?.title === 'B by hand')
    await node.inStep(one)
    expect(node.xml()).not.toContain('by hand')
    expect(flags()).toEqual(['flag b', 'flag b'])
    expect(node.erddap?.stats.events.at(-1)?.title).toBe('B one')
    expect(readdirSync(join(node.stateDir, 'kept'))).toHaveLength(1)
  })

  test('drift that ERDDAP has not read yet asks for no flag', async () => {
    const { node, one, flags } = await settled({ 'a.xml': A, 'b.xml': B })
    node.overwrite(node.xml().replace('B one', 'B by hand'))
    await node.inStep(one)
    expect(node.xml()).not.toContain('by hand')
    expect(flags()).toEqual([])
  })

  test('a deleted datasets.xml comes back', async () => {
    const { node, one } = await settled({ 'a.xml': A })
    rmSync(node.datasetsXml)
    await node.inStep(one)
    expect(node.xml()).toContain('datasetID="a"')
  })

  test('a lost state folder costs no load', async () => {
    const { node, one, flags } = await settled({ 'a.xml': A, 'b.xml': B })
    rmSync(node.stateDir, { recursive: true })
    node.forget()
    expect(await node.inStep(one)).toMatchObject({ served: 1 })
    expect(flags()).toEqual([])
    await node.inStep(releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'b.xml': B }))
    expect(flags()).toEqual(['flag a'])
  })

  test('a state file that cannot be read is as none', async () => {
    const { node, one } = await settled({ 'a.xml': A })
    writeFileSync(join(node.stateDir, 'erddap.json'), '{"format":1,"loaded":')
    node.forget()
    await node.inStep(one)
  })

  test('leftovers of a write that was cut short go with the next one', async () => {
    const { node } = await settled({ 'a.xml': A })
    writeFileSync(join(node.contentDir, '.flotilla-tmp-datasets.xml-0123456789ab'), 'half')
    writeFileSync(join(node.contentDir, 'setup.xml'), 'not ours')
    await node.inStep(releaseOf(2, { 'a.xml': A.replace('A one', 'A two') }))
    expect(readdirSync(node.contentDir).toSorted()).toEqual(['datasets.xml', 'setup.xml'])
  })
})

describe('requests', () => {
  test('a reload with each kind of flag happens once', async () => {
    const { node, flags } = await settled({ 'a.xml': A, 'b.xml': B })
    const requests = [
      request({ item: 'a', flag: 'hard' }),
      request({ item: 'b', flag: 'bad-files', generation: 41 }),
      request({ item: 'nobody', generation: 42 }),
    ]
    const again = releaseOf(1, { 'a.xml': A, 'b.xml': B }, { requests })
    await node.inStep(again)
    expect(flags().toSorted()).toEqual(['badFilesFlag b', 'hardFlag a'])
    node.forget()
    await node.inStep(again)
    expect(flags()).toHaveLength(2)
    expect(node.erddap?.stats.pollsWithSeveralKinds).toBe(0)
  })

  test('all datasets that are on', async () => {
    const { node, flags } = await settled({ 'a.xml': A, 'b.xml': B, 'c.xml': C })
    const parts = { active: { c: false }, requests: [request({ item: '*' })] }
    await node.inStep(releaseOf(2, { 'a.xml': A, 'b.xml': B, 'c.xml': C }, parts))
    expect(flags().toSorted()).toEqual(['flag a', 'flag b', 'flag c'])
    expect(node.erddap?.served()).not.toContain('c')
  })

  test('clear-cache deletes what is decompressed of the dataset, and nothing else', async () => {
    const { node } = await settled({ 'abc.xml': remote('abc', 'x'), 'xbc.xml': remote('xbc', 'y') })
    const under = join(node.bigParentDir, 'decompressed', 'bc')
    const outside = join(node.root, 'outside')
    for (const folder of [join(under, 'abc', 'deep'), join(under, 'xbc'), outside])
      mkdirSync(folder, { recursive: true })
    for (const file of [
      join(under, 'abc', 'deep', 'f'),
      join(under, 'abc', 'g'),
      join(under, 'xbc', 'h'),
      join(outside, 'i'),
    ]) {
      writeFileSync(file, 'data')
    }
    symlinkSync(outside, join(under, 'abc', 'link'))
    const sources = { 'abc.xml': remote('abc', 'x'), 'xbc.xml': remote('xbc', 'y') }
    await node.inStep(releaseOf(1, sources, { requests: [request({ kind: 'clear-cache', item: 'abc' })] }))
    expect(readdirSync(join(under, 'abc'))).toEqual([])
    expect(existsSync(join(under, 'xbc', 'h'))).toBe(true)
    expect(existsSync(join(outside, 'i'))).toBe(true)
  })
})

describe('side files', () => {
  const withRecord = remote('a', 'A', '<iso19115File>${node.files}/files/iso/a.xml</iso19115File>')

  test('lie where ${node.files} says, before ERDDAP is asked to load; a new version of one reloads who names it', async () => {
    const { node, flags } = await settled({ 'a.xml': withRecord, 'b.xml': B, 'files/iso/a.xml': '<gmd:one/>' })
    expect(node.xml()).toContain(`<iso19115File>${filesDir(node)}/files/iso/a.xml</iso19115File>`)
    const page = async () => await (await fetch(`${node.erddap?.url}/metadata/iso19115/xml/a_iso19115.xml`)).text()
    expect(await page()).toBe('<gmd:one/>')
    await node.inStep(releaseOf(2, { 'a.xml': withRecord, 'b.xml': B, 'files/iso/a.xml': '<gmd:two/>' }))
    expect(await page()).toBe('<gmd:two/>')
    expect(flags()).toEqual(['flag a'])
  })

  test('are removed with the release, folders too, and never what is not ours', async () => {
    const { node } = await settled({ 'a.xml': A, 'files/x/one.txt': '1', 'files/x/two.txt': '2' })
    writeFileSync(join(filesDir(node), 'files', 'mine.txt'), 'mine')
    await node.inStep(releaseOf(2, { 'a.xml': A.replace('A one', 'A two'), 'files/x/one.txt': '1' }))
    expect(readdirSync(join(filesDir(node), 'files', 'x'))).toEqual(['one.txt'])
    await node.inStep(releaseOf(3, { 'a.xml': A }))
    expect(readdirSync(join(filesDir(node), 'files'))).toEqual(['mine.txt'])
  })

  test('of somebody else are kept as a copy before they are written over, and drift is put back', async () => {
    const node = new ErddapNode()
    mkdirSync(join(filesDir(node), 'files'), { recursive: true })
    writeFileSync(join(filesDir(node), 'files', 'one.txt'), 'somebody’s')
    const { one } = await settled({ 'a.xml': A, 'files/one.txt': 'ours' }, node)
    const kept = readdirSync(join(node.stateDir, 'kept'))
    expect(kept).toHaveLength(1)
    expect(readFileSync(join(node.stateDir, 'kept', kept[0] ?? ''), 'utf8')).toBe('somebody’s')
    writeFileSync(join(filesDir(node), 'files', 'one.txt'), 'edited')
    await node.inStep(one)
    expect(readFileSync(join(filesDir(node), 'files', 'one.txt'), 'utf8')).toBe('ours')
    expect(readdirSync(join(node.stateDir, 'kept'))).toHaveLength(2)
  })

  test('are not written through a link that leads out of their folder', async () => {
    const node = new ErddapNode()
    mkdirSync(filesDir(node))
    const outside = join(node.root, 'outside')
    mkdirSync(outside)
    symlinkSync(outside, join(filesDir(node), 'files'))
    const release = releaseOf(1, { 'a.xml': A, 'files/one.txt': 'ours' })
    await expect(node.turn(release)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    expect(readdirSync(outside)).toEqual([])
  })
})

describe('private datasets', () => {
  test('are proved although the list hides them, and unloaded', async () => {
    const { node, flags } = await settled({ 'a.xml': A, 's.xml': secret('one') })
    await node.inStep(releaseOf(2, { 'a.xml': A, 's.xml': secret('two') }))
    expect(flags()).toEqual(['flag s'])
    await node.inStep(releaseOf(3, { 'a.xml': A, 's.xml': secret('two') }, { active: { s: false } }))
    expect(node.erddap?.served()).toEqual(['a'])
  })
})

const onFixtures = await needs({ fixtures: true })

onFixtures('a production server’s collection is adopted without a single load', { timeout: 60_000 }, async () => {
  const collection = join(FIXTURES, 'erddap/salishseacast')
  const sources = Object.fromEntries(
    Object.entries(filesUnder(collection)).map(([path, bytes]) => [path, Buffer.from(bytes).toString('utf8')]),
  )
  const node = new ErddapNode()
  node.overwrite(sources['datasets.xml'] ?? '')
  await node.start({ assumeFiles: true })
  await node.loaded()
  await until('all are served', () => node.erddap?.served().length === 52)
  const [events, flags] = [node.eventCount, node.flagCount()]
  const report = await node.inStep(releaseOf(1, sources))
  expect(report.progress).toEqual({ done: 52, total: 52 })
  expect([node.flags(flags), node.events(events)]).toEqual([[], []])
})
