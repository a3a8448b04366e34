import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { filesUnder, treeOf } from '../../../../test/helpers/erddap-tree.ts'
import { FIXTURES, needs } from '../../../../test/helpers/needs.ts'
import type { CheckResult } from '../../../core/tree.ts'
import { FragmentCache } from './cache.ts'
import { checkTree } from './check.ts'
import { compareDatasets } from './compare.ts'
import { compile } from './compile.ts'
import { splitDatasets } from './split.ts'

const test = await needs({ fixtures: true })

const folder = (name: string) => join(FIXTURES, 'erddap', name)
const check = (files: Parameters<typeof treeOf>[0]): Promise<CheckResult> =>
  checkTree(treeOf(files), { version: '2.31', nodeValues: new Set() }, new FragmentCache())
const places = ({ problems }: CheckResult) =>
  problems.map(({ severity, code, file, line, column }) => `${severity} ${code} ${file}:${line}:${column}`)
const NOTHING = { manifest: { active: {}, removed: {} }, values: new Map<string, string>() }

const published = () => readFileSync(folder('salishseacast/datasets.xml'))

const top = (bytes: Buffer) => bytes.subarray(bytes.indexOf('<erddapDatasets>'), bytes.indexOf('<dataset ')).toString()

const own = (path: string) => readFileSync(folder(`erddap-own/${path}`))

describe('SalishSeaCast', () => {
  test('52 fragments, prefix, postfix and manifest check clean', async () => {
    const result = await check(filesUnder(folder('salishseacast')))
    expect(places(result)).toEqual([])
    expect(result.items).toHaveLength(52)
  })

  test('compile to their published datasets.xml, in their order, byte for byte', async () => {
    const compiled = await compile({ tree: treeOf(filesUnder(folder('salishseacast'))), ...NOTHING })
    const theirs = splitDatasets(published())
    expect(compiled.datasets.map(({ id }) => id)).toEqual(theirs.datasets.map(({ id }) => id))
    for (const [index, { id, source, digest }] of compiled.datasets.entries()) {
      expect(Buffer.from(source).equals(theirs.datasets[index]!.source), id).toBe(true)
      expect(digest, id).toBe(theirs.datasets[index]!.digest)
      expect(compareDatasets(theirs.datasets[index]!.source, source).effect, id).toBe('none')
    }
    expect(compiled.topDigest).toBe(theirs.topDigest)
  })

  test('the text before the datasets is theirs too, but for the declaration', async () => {
    const compiled = await compile({ tree: treeOf(filesUnder(folder('salishseacast'))), ...NOTHING })
    expect(top(Buffer.concat(compiled.chunks)).trim()).toBe(top(published()).trim())
  })

  test('every line leads back to the file it is from', async () => {
    const files = filesUnder(folder('salishseacast'))
    const compiled = await compile({ tree: treeOf(files), ...NOTHING })
    const texts = new Map<string, readonly string[]>()
    for (const [index, line] of Buffer.concat(compiled.chunks).toString().split('\n').entries()) {
      const found = compiled.locate(index + 1)
      if (found === undefined) continue
      const own = texts.get(found.file) ?? Buffer.from(files[found.file]!).toString().split('\n')
      texts.set(found.file, own)
      expect(own[found.line - 1]).toBe(line)
    }
    expect(texts.size).toBe(54)
  })
})

describe('Hakai', () => {
  test('fragments in a folder and below it, and a user', async () => {
    const files = filesUnder(folder('hakai-erddap-deploy/tests/data'))
    const result = await check(files)
    expect(places(result)).toEqual([])
    expect(result.items.map(({ id, path }) => [id, path])).toEqual([
      ['dataset1', 'datasets.d/dataset1.xml'],
      ['dataset2', 'datasets.d/dataset2.xml'],
      ['dataset3', 'datasets.d/dataset3.xml'],
      ['dataset4', 'datasets.d/subdir/dataset4.xml'],
    ])
    const compiled = await compile({ tree: treeOf(files), ...NOTHING })
    expect(Buffer.concat(compiled.chunks).toString()).toContain('\n<user username="username"')
  })

  test('the compiled file of their server checks clean on its own', async () => {
    const result = await check({ 'datasets.xml': readFileSync(folder('hakai-erddap-deploy/tests/data/datasets.xml')) })
    expect(places(result)).toEqual([])
    expect(result.items).toHaveLength(85)
  })
})

describe("ERDDAPUtil's own", () => {
  test('the fragment that ERDDAP cannot read, and the one that it would stop at', async () => {
    const result = await check(filesUnder(folder('erddaputil-tests/tests/test_data/originals')))
    expect(places(result)).toEqual([
      'error TAG_UNKNOWN datasets.d/dataset_a.xml:3:5',
      'error XML_MALFORMED datasets.d/invalid_d.xml:4:11',
    ])
    expect(result.items.map(({ id }) => id)).toEqual([
      'existing_a',
      'existing_b',
      'existing_c',
      'dataset_a',
      'dataset_b',
    ])
  })
})

describe("ERDDAP's own", () => {
  test('the sample datasets.xml and all top-level tags check clean', async () => {
    for (const path of [
      'development/jetty/config/datasets.xml',
      'src/test/resources/datasets/topLevelHandlerTest.xml',
      'src/test/resources/datasets/failedToLoadDatasetsTest.xml',
    ]) {
      const { problems } = await check({ 'datasets.xml': own(path) })
      expect(
        problems.filter(({ severity }) => severity === 'error'),
        path,
      ).toEqual([])
    }
  })

  test('two datasets of one id are found', async () => {
    const result = await check({ 'datasets.xml': own('src/test/resources/datasets/duplicateDatasetsTest.xml') })
    expect(places(result)).toEqual(['error ID_DUPLICATE datasets.xml:4:undefined'])
  })

  test('everything is taken apart as it is put together', async () => {
    const xml = own('development/jetty/config/datasets.xml')
    const before = splitDatasets(xml)
    const compiled = await compile({ tree: treeOf({ 'datasets.xml': xml }), ...NOTHING })
    const after = splitDatasets(Buffer.concat(compiled.chunks))
    expect(after.datasets.map(({ id, digest }) => [id, digest])).toEqual(
      before.datasets.map(({ id, digest }) => [id, digest]),
    )
    expect(after.topDigest).toBe(before.topDigest)
  })
})
