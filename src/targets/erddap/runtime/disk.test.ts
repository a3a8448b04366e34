import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../../../test/helpers/folder.ts'
import { needs } from '../../../../test/helpers/needs.ts'
import { silent } from '../../../core/log.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { Fingerprints } from './fingerprints.ts'
import { clearDecompressed, readFlags, setFlags } from './flag-folders.ts'
import { EMPTY_STATE, loadState, saveState } from './node-state.ts'
import { splitLeniently, Versions } from './versions.ts'

describe('flags', () => {
  test('are empty files under the ids, in folders that are made where they are missing', async () => {
    const bpd = temporaryFolder()
    await setFlags(bpd, 'hard', ['a', 'constructor', 'with-dash_1'])
    await setFlags(bpd, 'hard', ['a'])
    // A check lets them through, so they must not hold up what is flagged together with them.
    await setFlags(bpd, 'soft', ['1abc', '_a', '__a__'])
    expect(readdirSync(join(bpd, 'hardFlag'))).toEqual(['a', 'constructor', 'with-dash_1'])
    expect(statSync(join(bpd, 'hardFlag', 'a')).size).toBe(0)
    const flags = readFlags(bpd)
    expect(flags?.set).toEqual({
      hard: new Set(['a', 'constructor', 'with-dash_1']),
      soft: new Set(['1abc', '_a', '__a__']),
      'bad-files': new Set(),
    })
    expect(flags?.changedMs).toBe(statSync(join(bpd, 'flag')).mtimeMs)
  })

  test.for(['../x', 'a/b', '/etc/passwd', '.', '..', '', ' ', 'a b', '.hidden', '-a', 'a.b', 'a\n', 'a'.repeat(256)])(
    'are never set for %j, nor for what is asked together with it',
    async (id) => {
      const bpd = temporaryFolder()
      await expect(setFlags(bpd, 'soft', ['good', id])).rejects.toMatchObject({ code: 'BAD_REQUEST' })
      expect(readdirSync(bpd)).toEqual([])
    },
  )

  test('are not set where there is no bigParentDirectory, and it is not made', async () => {
    const bpd = join(temporaryFolder(), 'unmounted')
    await expect(setFlags(bpd, 'soft', ['a'])).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: `${bpd} is not there`,
      details: { hint: expect.stringContaining('Is the volume mounted?') },
    })
    expect(existsSync(bpd)).toBe(false)
  })

  test('are not looked for where there is no bigParentDirectory', async () => {
    expect(readFlags(join(temporaryFolder(), 'nowhere'))).toBeUndefined()
  })

  test('folders in a flag folder are not flags: ERDDAP ignores them', async () => {
    const bpd = temporaryFolder()
    mkdirSync(join(bpd, 'flag', 'a'), { recursive: true })
    expect(readFlags(bpd)?.set.soft).toEqual(new Set())
  })
})

const asRoot = await needs({ root: true })

asRoot('a flag folder belongs to whom its parent belongs to, so that ERDDAP can delete flags in it', async () => {
  const bpd = temporaryFolder()
  const { chownSync, chmodSync } = await import('node:fs')
  chownSync(bpd, 1234, 1235)
  chmodSync(bpd, 0o2775)
  await setFlags(bpd, 'soft', ['a'])
  const made = statSync(join(bpd, 'flag'))
  expect([made.uid, made.gid, made.mode & 0o7777]).toEqual([1234, 1235, 0o2775])
})

test('clear-cache does not follow a link that stands for a dataset’s folder', async () => {
  const bpd = temporaryFolder()
  const outside = join(bpd, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'file'), 'x')
  mkdirSync(join(bpd, 'decompressed', 'bc'), { recursive: true })
  symlinkSync(outside, join(bpd, 'decompressed', 'bc', 'abc'))
  await clearDecompressed(bpd, ['abc', '../outside', 'nothere'])
  expect(existsSync(join(outside, 'file'))).toBe(true)
})

describe('fingerprints', () => {
  test('see a change of the same size within the grain of the clock, and read an old file once', async () => {
    const path = join(temporaryFolder(), 'file')
    const fingerprints = new Fingerprints()
    const seen: (string | undefined)[] = []
    for (const content of ['aaa', 'bbb', 'aaa']) {
      writeFileSync(path, content)
      utimesSync(path, 1_000_000, 1_000_000)
      seen.push((await fingerprints.of(path, 1_000_000_500))?.sha256)
    }
    expect(seen[0]).not.toBe(seen[1])
    expect(seen[0]).toBe(seen[2])
    const first = await fingerprints.of(path, Date.now())
    expect(await fingerprints.of(path, Date.now())).toBe(first)
  })

  test('of a folder, of nothing and of a path through a file there are none', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'file'), '')
    for (const path of [folder, join(folder, 'nothing'), join(folder, 'file', 'below')]) {
      expect(await new Fingerprints().of(path, 0)).toBeUndefined()
    }
  })
})

describe('the state of a node', () => {
  const name = fc.constantFrom('a', 'constructor', 'toString', '__proto__', 'hasOwnProperty')
  const pairs = <T>(value: fc.Arbitrary<T>) =>
    fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }).map((entries) => new Map(entries))
  const loaded = fc.record({ digest: fc.string(), version: fc.string() })
  const failure = fc.record({
    code: fc.constantFrom('LOAD_FAILED', 'LOAD_STALE', 'LOAD_ABORTED'),
    message: fc.string({ unit: 'binary' }),
    file: fc.string(),
    line: fc.option(fc.nat(), { nil: undefined }),
    attempt: fc.nat(),
    atMs: fc.nat(),
  })
  const flagged = fc.record({
    digest: fc.string(),
    version: fc.string(),
    kind: fc.constantFrom('hard', 'soft', 'bad-files'),
    atMs: fc.nat(),
    attempts: fc.nat(),
    wasAbsent: fc.boolean(),
    failure: fc.option(failure, { nil: undefined }),
  })

  test('is read back as it was saved, whatever datasets are called', async () => {
    const folder = temporaryFolder()
    const maps = fc.record({
      loaded: pairs(loaded),
      maybe: pairs(fc.array(loaded)),
      flagged: pairs(flagged),
      requests: pairs(fc.record({ generation: fc.nat(), atMs: fc.nat() })),
      loads: pairs(fc.record({ soft: fc.nat(), hard: fc.nat() }, { requiredKeys: [] })),
      sideFiles: pairs(fc.string()),
    })
    await fc.assert(
      fc.asyncProperty(maps, fc.option(fc.string(), { nil: undefined }), async (some, read) => {
        const state = { ...EMPTY_STATE, ...some, read, applied: 3, lists: ['requestBlacklist'] as const }
        saveState(folder, state)
        expect(await loadState(folder, silent)).toEqual(state)
      }),
      { numRuns: 40 },
    )
  })

  test.for([
    '',
    '{',
    'null',
    '[]',
    '{"format":2}',
    '{"format":1,"applied":"x"}',
    '{"format":1,"applied":0,"served":0,"loaded":{}}',
  ])('that says %j is as none', async (text) => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'erddap.json'), text)
    expect(await loadState(folder, silent)).toEqual(EMPTY_STATE)
  })
})

test('a file whose name is as long as names may be is kept too', async () => {
  const name = `${'ø'.repeat(125)}.xml`
  const folder = temporaryFolder({ [name]: 'foreign' })
  const kept = await new Versions(join(folder, 'state'), systemClock).keep(join(folder, name))
  expect(readFileSync(kept, 'utf8')).toBe('foreign')
})

test('of the files of others, the last ten copies are kept', async () => {
  const folder = temporaryFolder()
  const versions = new Versions(folder, systemClock)
  writeFileSync(join(folder, 'datasets.xml'), 'theirs')
  for (let copy = 0; copy < 13; copy++) await versions.keep(join(folder, 'datasets.xml'))
  expect(readdirSync(join(folder, 'kept'))).toHaveLength(10)
})

describe('a file that ERDDAP has read', () => {
  const one = '<dataset type="EDDGridFromDap" datasetID="one"><sourceUrl>x</sourceUrl></dataset>'
  const two = one.replace('one', 'two')
  const whole = `<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n${one}\n${two}\n</erddapDatasets>\n`
  const idsOf = (text: string) => splitLeniently(Buffer.from(text)).datasets.map(({ id }) => id)

  test('tells its datasets and settings', () => {
    expect(idsOf(whole)).toEqual(['one', 'two'])
    expect(splitLeniently(Buffer.from(whole)).topDigest).toEqual(expect.any(String))
  })

  test.for([
    ['a slip behind the second', whole.replace('</erddapDatasets>', '<oops</erddapDatasets>'), ['one', 'two']],
    ['a slip between them', whole.replace(two, `\n<&>\n${two}`), ['one']],
    ['a slip in the first', whole.replace('<sourceUrl>', '<source Url'), []],
    ['nothing', '', []],
    ['no XML at all', 'hello', []],
  ] as const)('with %s tells those before it', ([, text, ids]) => {
    expect(idsOf(text)).toEqual(ids)
  })

  test('that is cut off anywhere tells the datasets that are whole', () => {
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.slice(0, length)
      const ends = [one, two].filter((each) => cut.includes(each)).length
      expect([length, idsOf(cut)]).toEqual([length, ['one', 'two'].slice(0, ends)])
    }
  })
})
