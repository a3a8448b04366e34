import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { files, remote, Sandbox, servedTitle, text, until } from './test-kit.ts'

describe('the first major load', () => {
  test('reads a copy of datasets.xml and serves what is in it', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'), remote('b', 'B'))
    const erddap = await box.start()
    expect(erddap.served()).toEqual(['a', 'b'])
    expect(readFileSync(join(box.bigParentDir, 'currentDatasets.xml'))).toEqual(
      readFileSync(join(box.contentDir, 'datasets.xml')),
    )
    expect(erddap.stats.loads[0]).toMatchObject({ kind: 'major', tried: ['a', 'b'], failed: [] })
  })

  test('puts datasets without a file index off, reports them failed, and loads them seconds later', async () => {
    const box = new Sandbox()
    box.write(files('cold', 'Cold', box.data))
    const erddap = await box.start({ pollMs: 200 })
    expect(erddap.served()).toEqual([])
    expect(erddap.stats.loads[0]?.failed[0]?.message).toContain('ERDDAP is deferring loading this dataset')
    await until('the dataset is served', () => erddap.served().includes('cold'))
    const status = await text(erddap, 'status.html')
    expect(status).toContain('n Datasets Failed To Load (in the last major LoadDatasets) = 1\n    cold, (end)')
    await erddap.majorLoad()
    expect(await text(erddap, 'status.html')).toContain('(in the last major LoadDatasets) = 0\n')
  })

  test('loads datasets with a stored index at once, without looking at their files', async () => {
    const box = new Sandbox()
    box.write(files('warm', 'Warm', box.data))
    const first = await box.start()
    await until('the dataset is served', () => first.served().includes('warm'))
    await first.close()
    rmSync(box.data, { recursive: true })
    const second = await box.start()
    expect(second.served()).toEqual(['warm'])
  })

  test('a dataset whose first child was put off waits for the next major load, as only the child is flagged', async () => {
    const box = new Sandbox()
    const children = `${grid('c1', box.data)}${grid('c2', box.data)}`
    box.write(`<dataset type="EDDGridSideBySide" datasetID="both">${children}</dataset>`)
    const erddap = await box.start()
    await until('the flag of the child is taken', () => erddap.stats.flags.some(({ id }) => id === 'c1'))
    expect(erddap.served()).toEqual([])
    await erddap.majorLoad()
    expect(erddap.served()).toEqual(['both'])
    expect(existsSync(join(box.bigParentDir, 'dataset/c1/c1/fileTable.nc'))).toBe(true)
  })

  test('without a datasets.xml nothing is served, and datasets stay put off until a major load comes to its end', async () => {
    const box = new Sandbox()
    const erddap = await box.start()
    box.write(files('late', 'Late', box.data))
    await box.flagged(erddap, 'flag', 'late')
    expect(erddap.served()).toEqual([])
    await erddap.majorLoad()
    await until('the dataset is served', () => erddap.served().includes('late'))
  })
})

function grid(id: string, fileDir: string): string {
  return `<dataset type="EDDGridFromNcFiles" datasetID="${id}"><fileDir>${fileDir}</fileDir></dataset>`
}

describe('what stops one dataset only', () => {
  test.each([
    ['an unknown type', '<dataset type="EDDTableFromNowhere" datasetID="bad"></dataset>', 'Unexpected <dataset> type'],
    ['no type', '<dataset datasetID="bad"></dataset>', 'Missing <dataset> type'],
    ['no file that matches', files('bad', 'Bad', '/no/such/folder'), '0 files found in /no/such/folder'],
    ['an <att> without a name', remote('bad', 'x').replace(' name="title"', ''), `doesn't have a "name"`],
  ])('%s', async (_, definition, why) => {
    const box = new Sandbox()
    box.write(remote('first', 'First'))
    const erddap = await box.start()
    box.write(remote('first', 'First'), definition, remote('last', 'Last'))
    await erddap.majorLoad()
    expect(erddap.served()).toEqual(['first', 'last'])
    const failure = erddap.stats.loads.at(-1)?.failed[0]
    expect(failure?.message).toContain(why)
    expect(failure?.message).toMatch(/^datasets\.xml error on line #\d+\nWhile trying to load datasetID=bad /)
  })

  test('a definition that fails takes the version that was served with it', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start()
    box.write(files('a', 'A', '/no/such/folder'))
    await box.flagged(erddap, 'flag', 'a')
    expect(erddap.served()).toEqual([])
    expect(erddap.stats.events.map(({ event }) => event)).toEqual(['loaded', 'failed'])
  })

  test('a missing data folder takes a dataset down when it is reloaded', async () => {
    const box = new Sandbox()
    box.write(files('a', 'A', box.data))
    const erddap = await box.start()
    await until('the dataset is served', () => erddap.served().includes('a'))
    renameSync(box.data, `${box.data}-gone`)
    await box.flagged(erddap, 'flag', 'a')
    expect(erddap.served()).toEqual([])
  })
})

describe('what stops the file', () => {
  const cases = [
    ['an unknown tag in a dataset that is to be loaded', remote('bad', 'x', '<fileDirr>x</fileDirr>')],
    ['an unknown top-level tag', '<dataSet/>'],
    ['a dataset without an id', '<dataset type="EDDGridFromDap"></dataset>'],
    ['an end tag that does not match', '<cacheMinutes>60</cacheMinute>'],
    ['a tag of another type', remote('bad', 'x', '<fileDir>x</fileDir>')],
    ['an unknown tag in a variable', remote('bad', 'x', '<dataVariable><name>x</name></dataVariable>')],
  ] as const

  test.each(cases)('%s: nothing after it is applied', async (_, bad) => {
    const box = new Sandbox()
    box.write(remote('first', 'First'))
    const erddap = await box.start()
    box.write(remote('first', 'First'), remote('before', 'Before'), bad, remote('after', 'After'))
    await erddap.majorLoad()
    expect(erddap.served()).toEqual(['first', 'before'])
    expect(erddap.stats.badReads).toHaveLength(1)
    expect(readFileSync(erddap.log, 'utf8')).toMatch(/ERROR while processing line #\d+ datasets\.xml/)
  })

  test('from 2.25 on a major load that broke off unloads every dataset after the bad place', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'), remote('b', 'B'), remote('c', 'C'))
    const erddap = await box.start()
    box.write(remote('a', 'A'), '<unknown/>', remote('b', 'B'), remote('c', 'C'))
    await erddap.majorLoad()
    expect(erddap.served()).toEqual(['a'])
    expect(await text(erddap, 'status.html')).toContain('ERROR: n Orphan Datasets removed')
  })

  test.each(['2.18', '2.24'])('in %s a load that broke off unloads nothing', async (version) => {
    const box = new Sandbox()
    box.write(remote('a', 'A'), remote('b', 'B'))
    const erddap = await box.start({ version })
    box.write(remote('a', 'A'), '<unknown/>', remote('b', 'B'))
    await erddap.majorLoad()
    expect(erddap.served()).toEqual(['a', 'b'])
    expect(await text(erddap, 'status.html')).toMatch(/ERROR while processing line #\d+ datasets\.xml: see log\.txt/)
  })

  test('in a minor load it unloads the dataset with the unknown tag, and the flags behind it are lost', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'), remote('b', 'B'), remote('c', 'C'))
    const erddap = await box.start()
    box.write(remote('a', 'A'), remote('b', 'B2', '<oops/>'), remote('c', 'C2'))
    box.flag('flag', 'b')
    await box.flagged(erddap, 'flag', 'c')
    expect(erddap.served()).toEqual(['a', 'c'])
    expect(await servedTitle(erddap, 'c')).toBe('C')
    expect(erddap.stats.badReads[0]?.message).toContain('Unexpected tag=')
  })

  test('an unknown tag in a dataset that is not due does no harm: it is skipped unread', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'), remote('b', 'B'))
    const erddap = await box.start()
    box.write(remote('a', 'A', '<oops/>'), remote('b', 'B2'))
    await box.flagged(erddap, 'flag', 'b')
    expect(await servedTitle(erddap, 'b')).toBe('B2')
    expect(erddap.served()).toEqual(['a', 'b'])
    expect(erddap.stats.badReads).toEqual([])
  })

  test('a torn file is seen as what it is', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start()
    const whole = readFileSync(join(box.contentDir, 'datasets.xml'))
    box.writeRaw(whole.subarray(0, whole.length - 30))
    await erddap.majorLoad()
    expect(erddap.stats.badReads[0]?.message).toContain('Unexpected end of file')
  })
})

describe('major loads', () => {
  test('an edit is not noticed while the dataset is young', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start()
    box.write(remote('a', 'A2'))
    await erddap.majorLoad()
    expect(await servedTitle(erddap, 'a')).toBe('A')
    await box.flagged(erddap, 'flag', 'a')
    expect(await servedTitle(erddap, 'a')).toBe('A2')
  })

  test('a new dataset is loaded, and one that is gone is unloaded', async () => {
    const box = new Sandbox()
    box.write(remote('old', 'Old'))
    const erddap = await box.start()
    box.write(remote('new', 'New'))
    await erddap.majorLoad()
    expect(erddap.served()).toEqual(['new'])
  })

  test('up to 2.18 a dataset that is gone is served for ever', async () => {
    const box = new Sandbox()
    box.write(remote('old', 'Old'))
    const erddap = await box.start({ version: '2.18' })
    box.write(remote('new', 'New'))
    await erddap.majorLoad()
    expect(erddap.served()).toEqual(['old', 'new'])
    expect(await text(erddap, 'status.html')).toContain('ERROR: n Orphan Datasets (datasets in ERDDAP but not in')
  })

  test('load a dataset again that is older than its reloadEveryNMinutes', async () => {
    const box = new Sandbox()
    const minutes = '<reloadEveryNMinutes>1</reloadEveryNMinutes>'
    box.write(remote('often', 'Often', minutes), remote('rarely', 'Rarely'))
    const erddap = await box.start()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 })
    onTestFinished(() => void vi.useRealTimers())
    await erddap.majorLoad()
    expect(erddap.stats.loads.at(-1)?.tried).toEqual(['often'])
  })

  test('come by themselves every so often', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'A'))
    const erddap = await box.start({ majorMinutes: 0.0005 })
    await until('there were three', () => erddap.stats.loads.filter(({ kind }) => kind === 'major').length >= 3)
  })

  test('of two datasets with one id the first is served, and status says so', async () => {
    const box = new Sandbox()
    box.write(remote('a', 'First'), remote('a', 'Second'))
    const erddap = await box.start()
    expect(await servedTitle(erddap, 'a')).toBe('First')
    expect(await text(erddap, 'status.html')).toContain('ERROR: Duplicate datasetIDs in datasets.xml:\n    a\n')
  })

  test('only active="false" makes a dataset inactive', async () => {
    const box = new Sandbox()
    const plain = remote('a', 'A')
    box.write(plain.replace('datasetID', 'active="False" datasetID'))
    const erddap = await box.start()
    expect(erddap.served()).toEqual(['a'])
    box.write(plain.replace('datasetID', 'active="false" datasetID'))
    await erddap.majorLoad()
    expect(erddap.served()).toEqual([])
  })
})

test('top-level settings and users are applied by every load, minor ones too', async () => {
  const box = new Sandbox()
  box.write('<requestBlacklist>10.0.0.1</requestBlacklist>', remote('a', 'A'))
  const erddap = await box.start()
  expect(erddap.setting('requestBlacklist')).toBe('10.0.0.1')
  box.write('<requestBlacklist>10.0.0.2</requestBlacklist>', '<user username="u" roles="r" />', remote('a', 'A'))
  await box.flagged(erddap, 'flag', 'a')
  expect(erddap.setting('requestBlacklist')).toBe('10.0.0.2')
  expect(readFileSync(erddap.log, 'utf8')).toContain('nUsers=1')
})

test('tags that are newer than the version stop the file', async () => {
  const box = new Sandbox()
  box.write(remote('a', 'A'), '<cacheClearMinutes>15</cacheClearMinutes>', remote('b', 'B'))
  expect((await box.start({ version: '2.31' })).served()).toEqual(['a', 'b'])
  const older = new Sandbox()
  older.write(remote('a', 'A'), '<cacheClearMinutes>15</cacheClearMinutes>', remote('b', 'B'))
  expect((await older.start({ version: '2.18' })).served()).toEqual(['a'])
})
