import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { CheckContext, FileTree } from '../../../core/tree.ts'
import { FlotillaError } from '../../../core/errors.ts'
import { gridDataset, treeOf } from '../../../../test/helpers/erddap-tree.ts'
import { FragmentCache } from './cache.ts'
import { checkTree } from './check.ts'
import { FRAGMENT_BYTES_MAX, NO_DEFINITIONS } from './fragment.ts'

async function check(files: Parameters<typeof treeOf>[0], context: CheckContext = {}) {
  return checkTree(treeOf(files), context, new FragmentCache())
}

async function codes(files: Parameters<typeof treeOf>[0], context: CheckContext = {}): Promise<string[]> {
  const { problems } = await check(files, context)
  return problems.map(
    ({ severity, code, file, line }) => `${severity} ${code} ${file}${line === undefined ? '' : `:${line}`}`,
  )
}

const TEMPLATE =
  '<?xml version="1.0" encoding="UTF-8" ?>\n<erddapDatasets>\n<cacheMinutes>60</cacheMinutes>\n</erddapDatasets>\n'

describe('a tree as a whole', () => {
  test('datasets come out in the order of the file, with their places', async () => {
    const { problems, items } = await check({
      'datasets.d/b.xml': `\n${gridDataset('b')}`,
      'datasets.d/sub/a.xml': gridDataset('a').replace('"true"', '"false"'),
      'datasets.d/users.xml': '<user username="u" password="p" roles="r"/>',
      'datasets.template.xml': TEMPLATE.replace('\n</', `\n${gridDataset('t')}</`),
      'README.md': '# ours',
    })
    expect(problems).toEqual([])
    expect(items.map(({ id, active, path, line }) => [id, active, path, line])).toEqual([
      ['t', true, 'datasets.template.xml', 4],
      ['b', true, 'datasets.d/b.xml', 2],
      ['a', false, 'datasets.d/sub/a.xml', 1],
    ])
  })

  test('the same id twice names both places, also against the template and inside one file', async () => {
    const { problems } = await check({
      'a.xml': gridDataset('x'),
      'b.xml': `<!-- -->\n${gridDataset('x')}`,
      'c.xml': gridDataset('c') + gridDataset('c'),
      'template.xml': TEMPLATE.replace('\n</', `\n${gridDataset('c')}</`),
    })
    expect(problems.map(({ code, file, line, message, dataset }) => [code, file, line, message, dataset])).toEqual([
      ['ID_DUPLICATE', 'b.xml', 2, 'the datasetID "x" is also in a.xml:1', 'x'],
      ['ID_DUPLICATE', 'c.xml', 1, 'the datasetID "c" is also in template.xml:4', 'c'],
      ['ID_DUPLICATE', 'c.xml', 35, 'the datasetID "c" is also in template.xml:4', 'c'],
    ])
  })

  test('no dataset anywhere is an error of the folder', async () => {
    expect(await codes({ 'README.md': 'x', 'users.xml': '<user username="u"/>' })).toEqual(['error EMPTY .'])
    expect(await codes({})).toEqual(['error EMPTY .'])
  })

  test('a compiled datasets.xml beside the fragments is left alone, even if it is broken', async () => {
    const compiled = '<?xml version="1.0"?><erddapDatasets><dataset/></oops>'
    const { problems, items } = await check({ 'datasets.d/a.xml': gridDataset('a'), 'datasets.xml': compiled })
    expect([problems, items.length]).toEqual([[], 1])
  })

  test('a datasets.xml that is all there is, is checked itself', async () => {
    const { problems, items } = await check({ 'datasets.xml': TEMPLATE.replace('\n</', `\n${gridDataset('a')}<x/></`) })
    expect(problems).toMatchObject([{ code: 'TAG_UNKNOWN_TOP', file: 'datasets.xml', line: 38 }])
    expect(items).toMatchObject([{ id: 'a', path: 'datasets.xml', line: 4 }])
  })

  test('a datasets.xml without a root is a fragment like any other', async () => {
    const { items } = await check({
      'a.xml': gridDataset('a'),
      'datasets.xml': gridDataset('d'),
      'z.xml': gridDataset('z'),
    })
    expect(items.map(({ id }) => id)).toEqual(['a', 'd', 'z'])
  })

  test('a fragment must not be wrapped, a template must be', async () => {
    expect(await codes({ 'a.xml': TEMPLATE, 'b.xml': gridDataset('b') })).toEqual(['error ROOT_WRAPPER a.xml:2'])
    expect(await codes({ 'template.xml': '<cacheMinutes>1</cacheMinutes>', 'b.xml': gridDataset('b') })).toEqual([
      'error TEMPLATE_ROOT template.xml:1',
    ])
    for (const root of [
      '<erddapDatasets xmlns:xi="x"></erddapDatasets>',
      '<erddapDatasets/>',
      '<erddapDatasets></erddapDatasets><logLevel/>',
    ]) {
      expect(await codes({ 'template.xml': root, 'b.xml': gridDataset('b') }), root).toEqual([
        'error TEMPLATE_ROOT template.xml:1',
      ])
    }
  })

  test('records, scripts and what lies under files/ are no business of the check', async () => {
    const files = {
      'a.xml': gridDataset('a'),
      'iso/a.xml': '<gmd:MD_Metadata xmlns:gmd="x"><broken></gmd:MD_Metadata>',
      'files/broken.xml': '<dataste>',
      'files/big.xml': new Uint8Array(17 * 1024 * 1024),
      'run.sh': '#!/bin/sh',
    }
    expect(await codes(files)).toEqual([])
  })

  test('a prefix and a postfix are read together, and findings keep their own file and line', async () => {
    const files = {
      'datasets.yaml': 'datasets tree: datasets\nprefix: prefix.xml\npostfix: postfix.xml\ndatasets:\n- a.xml\n',
      'datasets/prefix.xml': '<?xml version="1.0" ?>\n<erddapDatasets>\n<oops/>\n',
      'datasets/a.xml': gridDataset('a'),
      'datasets/postfix.xml': '<!-- end -->\n<oops/>\n</erddapDatasets>\n',
      'datasets/b.xml': gridDataset('b'),
      'datasets/record.xml': '<metadata/>',
    }
    expect(await codes(files)).toEqual([
      'warning MANIFEST_UNLISTED datasets/b.xml',
      'error TAG_UNKNOWN_TOP datasets/prefix.xml:3',
      'error TAG_UNKNOWN_TOP datasets/postfix.xml:2',
    ])
    expect(await codes({ ...files, 'datasets/prefix.xml': '<erddapDatasets><a>', 'datasets/b.xml': '' })).toEqual([
      'error XML_MALFORMED datasets/postfix.xml:3',
    ])
  })
})

describe('what depends on the nodes', () => {
  test('tags newer than the oldest ERDDAP; older and unknown versions', async () => {
    const files = { 'a.xml': gridDataset('a'), 's.xml': '\n<cacheClearMinutes>1</cacheClearMinutes>' }
    expect(await codes(files)).toEqual([])
    expect(await codes(files, { version: '2.27.0' })).toEqual([])
    expect(await codes(files, { version: '2.9' })).toEqual(['error TAG_VERSION s.xml:2'])
    expect(await codes(files, { version: '2.26' })).toEqual(['error TAG_VERSION s.xml:2'])
  })

  test('node values: unknown names, misspelt forms, none in comments', async () => {
    const files = {
      'a.xml': gridDataset(
        'a',
        '\n<!-- ${node.y} ${node} -->\n<iso19115File>${node.files}/a.xml ${node.x}</iso19115File>',
      ),
    }
    expect(await codes(files)).toEqual([])
    expect(await codes(files, { nodeValues: new Set(['files', 'x']) })).toEqual([])
    expect(await codes(files, { nodeValues: new Set(['files']) })).toEqual(['error NODE_VALUE_UNKNOWN a.xml:35'])
    for (const wrong of ['${node}', '${node.}', '${ node.x }', '${Node.x}', '${node.x', '${node.1}', '${node.x.y}']) {
      expect(await codes({ 'a.xml': gridDataset('a', `<fgdcFile>${wrong}</fgdcFile>`) }), wrong).toEqual([
        'error NODE_VALUE_SYNTAX a.xml:33',
      ])
    }
  })

  test('what ERDDAP itself would replace is a warning, unless all nodes are too old for it', async () => {
    const files = {
      'a.xml': gridDataset(
        'a',
        '<fgdcFile>${env:HOME}</fgdcFile><defaultDataQuery><![CDATA[${x}]]></defaultDataQuery>',
      ),
    }
    expect(await codes(files)).toEqual(['warning ENV_SUBSTITUTION a.xml:33', 'warning ENV_SUBSTITUTION a.xml:33'])
    expect(await codes(files, { version: '2.28' })).toEqual([])
  })

  test('an inactive dataset may hold what ERDDAP would not read, until it is switched on', async () => {
    const files = { 'a.xml': gridDataset('a', '<oops/>').replace('"true"', '"false"'), 'b.xml': gridDataset('b') }
    expect(await codes(files)).toEqual(['warning TAG_UNKNOWN a.xml:33'])
    expect(await codes(files, { active: { a: true } })).toEqual(['error TAG_UNKNOWN a.xml:33'])
    const { items } = await check(files, { active: { a: true, b: false, constructor: true } })
    expect(items.map(({ id, active }) => [id, active])).toEqual([
      ['a', true],
      ['b', false],
    ])
  })
})

const withFile = (path: string, size: number, read: () => Promise<Uint8Array>): FileTree => {
  const tree = treeOf({ 'a.xml': gridDataset('a') })
  return {
    files: [...tree.files, { path, size, sha256: 'f'.repeat(64) }],
    read: (wanted, op) => (wanted === path ? read() : tree.read(wanted, op)),
  }
}

describe('files that cannot be read', () => {
  test('100 MB are refused by their size, without being read', async () => {
    const tree = withFile('b.xml', 100 * 1024 * 1024, () => Promise.reject(new Error('was read')))
    const { problems } = await checkTree(tree, {}, new FragmentCache())
    expect(problems).toMatchObject([{ code: 'FILE_TOO_LARGE', file: 'b.xml' }])
  })

  test('100 MB on the disk, not even allocated, cost neither memory nor time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'flotilla-sparse-'))
    try {
      const path = join(folder, 'b.xml')
      await writeFile(path, '<dataset>')
      await truncate(path, 100 * 1024 * 1024)
      const before = process.memoryUsage.rss()
      const started = performance.now()
      const tree = withFile('b.xml', 100 * 1024 * 1024, () => readFile(path))
      expect((await checkTree(tree, {}, new FragmentCache())).problems).toMatchObject([{ code: 'FILE_TOO_LARGE' }])
      expect(performance.now() - started).toBeLessThan(5000)
      expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 1024 * 1024)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('a fragment as large as the limit is read', async () => {
    const large = gridDataset('a', `<!--${'x'.repeat(FRAGMENT_BYTES_MAX - 3000)}-->`)
    const { problems, items } = await check({ 'a.xml': large })
    expect([problems, items.length]).toEqual([[], 1])
  })

  test('a file that cannot be opened is a problem, a tree that changed is not a tree', async () => {
    const denied = withFile('b.xml', 1, () => Promise.reject(new Error('EACCES: permission denied')))
    const { problems } = await checkTree(denied, {}, new FragmentCache())
    expect(problems).toMatchObject([
      { code: 'FILE_UNREADABLE', file: 'b.xml', message: expect.stringContaining('EACCES') },
    ])
    const gone = withFile('b.xml', 1, () => Promise.reject(new FlotillaError('SOURCE_VANISHED', 'gone')))
    await expect(checkTree(gone, {}, new FragmentCache())).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
  })

  test('an aborted check rejects with the reason', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(checkTree(treeOf({ 'a.xml': gridDataset('a') }), {}, new FragmentCache(), { signal })).rejects.toThrow(
      'enough',
    )
  })
})

describe('the cache', () => {
  test('a second check reads only what changed', async () => {
    const files: Record<string, string> = { 'a.xml': gridDataset('a'), 'b.xml': gridDataset('b') }
    const cache = new FragmentCache()
    const reads: string[] = []
    const counted = (): FileTree => {
      const tree = treeOf(files)
      return {
        files: tree.files,
        read(path, op) {
          reads.push(path)
          return tree.read(path, op)
        },
      }
    }
    await checkTree(counted(), {}, cache)
    files['b.xml'] = gridDataset('c')
    const { items } = await checkTree(counted(), {}, cache)
    expect(reads).toEqual(['a.xml', 'b.xml', 'b.xml'])
    expect(items.map(({ id }) => id)).toEqual(['a', 'c'])
  })

  test('holds no more than its limit, and drops what was not asked for longest', async () => {
    const cache = new FragmentCache(6000)
    for (const key of ['a', 'b', 'c']) cache.set(key, { ...NO_DEFINITIONS, bytes: new Uint8Array(900) })
    cache.get('a')
    cache.set('d', { ...NO_DEFINITIONS, bytes: new Uint8Array(900) })
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key) !== undefined)).toEqual([true, false, true, true])
    cache.set('e', { ...NO_DEFINITIONS, bytes: new Uint8Array(9000) })
    expect(cache.get('e')).toBeUndefined()
  })

  test('long checks let others run', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 400 }, (_, i) => [`${i}.xml`, gridDataset(`d${i}`, `<!--${'x'.repeat(40_000)}-->`)]),
    )
    let turns = 0
    let going = true
    const spin = () => {
      turns++
      if (going) setImmediate(spin)
    }
    setImmediate(spin)
    await check(files)
    going = false
    expect(turns).toBeGreaterThan(2)
  })
})
