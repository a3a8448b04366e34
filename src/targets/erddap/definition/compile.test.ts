import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gridDataset, treeOf } from '../../../../test/helpers/erddap-tree.ts'
import { sha256 } from '../../../lib/hash.ts'
import { FragmentCache } from './cache.ts'
import { type Compiled, compile, type CompileInput } from './compile.ts'
import { splitDatasets } from './split.ts'

const NOTHING = { active: {}, removed: {} }

function compiled(files: Parameters<typeof treeOf>[0], rest: Partial<CompileInput> = {}): Promise<Compiled> {
  return compile({ tree: treeOf(files), manifest: NOTHING, values: new Map(), ...rest })
}

const textOf = ({ chunks }: Pick<Compiled, 'chunks'>) => Buffer.concat(chunks).toString()
const HEADER = '<?xml version="1.0" encoding="UTF-8" ?>\n'
const TEMPLATE =
  '<?xml version="1.0"?>\n<!-- ours -->\n<erddapDatasets>\n<logLevel>info</logLevel> <!-- default -->\n  </erddapDatasets>\n'

const others = (result: Compiled) =>
  result.datasets
    .filter(({ path }) => path !== 'm.xml')
    .map(({ id, source }) => [id, Buffer.from(source).toString('latin1')])

describe('the file', () => {
  test('without a template: header, root, fragments by path, end', async () => {
    const result = await compiled({ 'b.xml': gridDataset('b'), 'a.xml': `  ${gridDataset('a').trimEnd()}` })
    expect(textOf(result)).toBe(`${HEADER}<erddapDatasets>\n${gridDataset('a')}${gridDataset('b')}</erddapDatasets>\n`)
    expect(result.size).toBe(Buffer.byteLength(textOf(result)))
    expect(result.sha256).toBe(sha256(textOf(result)))
    expect(result.datasets.map(({ id, path, line, tombstone }) => [id, path, line, tombstone])).toEqual([
      ['a', 'a.xml', 1, false],
      ['b', 'b.xml', 1, false],
    ])
  })

  test('a template keeps its comments, and the fragments come before its end', async () => {
    const result = await compiled({ 'template.xml': TEMPLATE, 'a.xml': `<!-- a -->\n${gridDataset('a')}` })
    expect(textOf(result)).toBe(
      `${HEADER}<!-- ours -->\n<erddapDatasets>\n<logLevel>info</logLevel> <!-- default -->\n<!-- a -->\n${gridDataset('a')}  </erddapDatasets>\n`,
    )
  })

  test('a template on one line, and one that is given instead of the own', async () => {
    const template = {
      path: '/etc/t.xml',
      bytes: Buffer.from('<erddapDatasets><logLevel>all</logLevel></erddapDatasets>'),
    }
    const result = await compiled({ 'template.xml': TEMPLATE, 'a.xml': gridDataset('a') }, { template })
    expect(textOf(result)).toBe(
      `${HEADER}<erddapDatasets><logLevel>all</logLevel>\n${gridDataset('a')}</erddapDatasets>\n`,
    )
    expect(result.locate(2)).toEqual({ file: '/etc/t.xml', line: 1 })
  })

  test('prefix, fragments in the order of the manifest, postfix', async () => {
    const result = await compiled({
      'datasets.yaml': 'prefix: p.xml\npostfix: q.xml\ndatasets: [b.xml, a.xml]\n',
      'p.xml': '<?xml version="1.0" encoding="ISO-8859-1"?>\n<!-- 1 -->\n<erddapDatasets>\n<logLevel>all</logLevel>\n',
      'a.xml': gridDataset('a'),
      'b.xml': gridDataset('b'),
      'q.xml': '<cacheMinutes>1</cacheMinutes>\n</erddapDatasets>\n',
    })
    expect(textOf(result)).toBe(
      `${HEADER}<!-- 1 -->\n<erddapDatasets>\n<logLevel>all</logLevel>\n\n${gridDataset('b')}${gridDataset('a')}<cacheMinutes>1</cacheMinutes>\n</erddapDatasets>\n`,
    )
    expect(result.locate(2)).toEqual({ file: 'p.xml', line: 2 })
    expect(result.locate(6)).toEqual({ file: 'b.xml', line: 1 })
    expect(result.locate(74)).toEqual({ file: 'q.xml', line: 1 })
    expect(result.topDigest).toBe(splitDatasets(Buffer.concat(result.chunks)).topDigest)
  })

  test('other encodings become UTF-8, CRLF and everything else stays', async () => {
    const latin1 = `<?xml version="1.0" encoding="ISO-8859-1"?>\r\n${gridDataset('a').replaceAll('\n', '\r\n')}`
    const result = await compiled({ 'a.xml': Buffer.from(latin1, 'latin1'), 'b.xml': `\uFEFF${gridDataset('b')}` })
    expect(textOf(result)).toContain(gridDataset('a').replaceAll('\n', '\r\n') + gridDataset('b'))
  })

  test('is the same from the same input, whatever was compiled before', async () => {
    const cache = new FragmentCache()
    const files = { 'a.xml': gridDataset('a', '<fgdcFile>${node.x}</fgdcFile>'), 'b.xml': gridDataset('b') }
    const input = { cache, values: new Map([['x', '/1']]), manifest: { ...NOTHING, active: { b: false } } }
    const first = await compiled(files, input)
    await compiled(files, { ...input, values: new Map([['x', '/2']]), manifest: NOTHING })
    const again = await compiled(files, input)
    expect(textOf(again)).toBe(textOf(first))
    expect(textOf(await compiled(files, { ...input, cache: new FragmentCache() }))).toBe(textOf(first))
    expect(again.datasets).toEqual(first.datasets)
  })

  test('lines of the compiled file lead back to the fragment, its own lines nowhere', async () => {
    const files = { 'template.xml': TEMPLATE, 'x/a.xml': `\n\n${gridDataset('a')}`, 'b.xml': gridDataset('b') }
    const result = await compiled(files, {
      manifest: { ...NOTHING, removed: { gone: { type: 'EDDGridFromDap', release: 1 } } },
    })
    const lines = textOf(result).split('\n')
    for (const [index, line] of lines.entries()) {
      const found = result.locate(index + 1)
      if (found === undefined) expect(line, String(index)).toMatch(/^(?:<\?xml.*|.*"gone".*|)$/)
      else expect(files[found.file as keyof typeof files].split('\n')[found.line - 1]?.trim()).toBe(line.trim())
    }
    expect(lines.findIndex((line) => line.includes('datasetID="a"'))).toBe(38)
    expect(result.locate(39)).toEqual({ file: 'x/a.xml', line: 3 })
    expect(result.locate(0)).toBeUndefined()
    expect(result.locate(10_000)).toBeUndefined()
  })
})

const around = (tag: string) => `<!-- ° -->${tag}<nThreads>1</nThreads></dataset>\n`

describe('overrides and tombstones', () => {
  const edits: readonly (readonly [string, string])[] = [
    [
      '<dataset type="EDDGridFromEtopo" datasetID="a" active="true">',
      '<dataset type="EDDGridFromEtopo" datasetID="a" active="false">',
    ],
    [
      "<dataset active='true'\n type='EDDGridFromEtopo' datasetID='a'>",
      `<dataset active="false"\n type='EDDGridFromEtopo' datasetID='a'>`,
    ],
    [
      '<dataset type="EDDGridFromEtopo" datasetID="a">',
      '<dataset active="false" type="EDDGridFromEtopo" datasetID="a">',
    ],
    [
      '<dataset x=" active=" type="EDDGridFromEtopo" datasetID="a">',
      '<dataset active="false" x=" active=" type="EDDGridFromEtopo" datasetID="a">',
    ],
  ]
  test.each(edits)('%s is switched off by its start tag alone', async (before, after) => {
    const result = await compiled(
      { 'a.xml': around(before), 'b.xml': gridDataset('b') },
      { manifest: { ...NOTHING, active: { a: false, unknown: false } } },
    )
    expect(textOf(result)).toContain(around(after) + gridDataset('b'))
    expect(result.datasets.map(({ id, active }) => [id, active])).toEqual([
      ['a', false],
      ['b', true],
    ])
    expect(result.datasets[0]?.digest).toBe(splitDatasets(Buffer.concat(result.chunks)).datasets[0]?.digest)
  })

  test('an override that says what the fragment says changes nothing, and one in the template works', async () => {
    const files = { 'template.xml': TEMPLATE.replace('  </', `${gridDataset('t')}</`), 'a.xml': gridDataset('a') }
    const plain = await compiled(files)
    expect(textOf(await compiled(files, { manifest: { ...NOTHING, active: { a: true, t: true } } }))).toBe(
      textOf(plain),
    )
    const off = await compiled(files, { manifest: { ...NOTHING, active: { t: false } } })
    expect(off.datasets.map(({ id, active }) => [id, active])).toEqual([
      ['t', false],
      ['a', true],
    ])
  })

  test('what an earlier release had stays as an inactive stub at the end, until the id is back', async () => {
    const removed = {
      z: { type: 'EDDTableFromNcFiles', release: 3 },
      a: { type: 'EDDGridFromDap', release: 2 },
      b: { type: 'x', release: 2 },
    }
    const result = await compiled({ 'b.xml': gridDataset('b') }, { manifest: { active: {}, removed } })
    expect(textOf(result)).toBe(
      `${HEADER}<erddapDatasets>\n${gridDataset('b')}` +
        '<dataset type="EDDGridFromDap" datasetID="a" active="false"></dataset>\n' +
        '<dataset type="EDDTableFromNcFiles" datasetID="z" active="false"></dataset>\n</erddapDatasets>\n',
    )
    expect(result.datasets.slice(1)).toMatchObject([
      { id: 'a', active: false, tombstone: true, path: '', line: 0 },
      { id: 'z', active: false, tombstone: true },
    ])
    const split = splitDatasets(Buffer.concat(result.chunks))
    expect(split.datasets.map(({ digest }) => digest)).toEqual(result.datasets.map(({ digest }) => digest))
  })
})

test('ids that are names of every object are ids like any other', async () => {
  const files = { 'a.xml': gridDataset('constructor') + gridDataset('toString') }
  const plain = await compiled(files, { manifest: { active: { x: false }, removed: {} } })
  expect(textOf(plain)).toContain(files['a.xml'])
  const removed = { valueOf: { type: 'EDDGridFromDap', release: 1 } }
  const off = await compiled(files, { manifest: { active: { toString: false }, removed } })
  expect(off.datasets.map(({ id, active }) => [id, active])).toEqual([
    ['constructor', true],
    ['toString', false],
    ['valueOf', false],
  ])
})

describe('node values', () => {
  test('are filled in as XML needs it, outside comments, and the digest is of what is written', async () => {
    const a = gridDataset(
      'a',
      `<!-- \${node.v} --><iso19115File>\${node.files}/\${node.v}</iso19115File><defaultDataQuery><![CDATA[\${node.v}]]></defaultDataQuery>`,
    )
    const values = new Map([
      ['files', '/srv/f'],
      ['v', `<a & "b" 'c'> ü $& $1`],
    ])
    const result = await compiled({ 'a.xml': a }, { values })
    expect(textOf(result)).toContain(
      `<!-- \${node.v} --><iso19115File>/srv/f/&lt;a &amp; &quot;b&quot; &#39;c&#39;&gt; ü $&amp; $1</iso19115File><defaultDataQuery><![CDATA[<a & "b" 'c'> ü $& $1]]></defaultDataQuery>`,
    )
    expect(result.datasets[0]?.digest).toBe(splitDatasets(Buffer.concat(result.chunks)).datasets[0]?.digest)
  })

  test.each([
    ['two\nlines', 'NODE_VALUE_SYNTAX'],
    ['a\rb', 'NODE_VALUE_SYNTAX'],
    ['nul\u0000', 'NODE_VALUE_SYNTAX'],
    ['half \uD83D', 'NODE_VALUE_SYNTAX'],
    ['end ]]>', 'NODE_VALUE_SYNTAX'],
  ])('the value %j is refused', async (value, code) => {
    const a = `\n${gridDataset('a', '\n<fgdcFile><![CDATA[${node.v}]]></fgdcFile>')}`
    await expect(compiled({ 'a.xml': a }, { values: new Map([['v', value]]) })).rejects.toMatchObject({
      code: 'PREPARE_FAILED',
      details: { problems: [{ code, file: 'a.xml', line: 35, column: 20 }] },
    })
  })

  test('a name that the node does not define is refused', async () => {
    await expect(compiled({ 'a.xml': gridDataset('a', '<fgdcFile>${node.v}</fgdcFile>') })).rejects.toMatchObject({
      code: 'PREPARE_FAILED',
      details: { file: 'a.xml', line: 33, problems: [{ code: 'NODE_VALUE_UNKNOWN' }] },
    })
  })

  test('a value that breaks the XML only together with what stands beside it is refused', async () => {
    const a = `\n${gridDataset('a', '<fgdcFile><![CDATA[]]${node.v}]]></fgdcFile>')}`
    await expect(compiled({ 'a.xml': a }, { values: new Map([['v', '>&']]) })).rejects.toMatchObject({
      code: 'PREPARE_FAILED',
      details: { problems: [{ code: 'XML_MALFORMED', file: 'a.xml', line: 34 }] },
    })
  })

  test('can switch a dataset off on one node', async () => {
    const files = { 'a.xml': gridDataset('a').replace('"true"', '"${node.primary}"') }
    const on = async (value: string) =>
      (await compiled(files, { values: new Map([['primary', value]]) })).datasets[0]?.active
    expect([await on('true'), await on('false')]).toEqual([true, false])
  })
})

describe('what a check refuses', () => {
  test('is refused here too, with every problem; warnings come with the result', async () => {
    await expect(compiled({ 'a.xml': gridDataset('a', '<oops/>'), 'b.xml': '<' })).rejects.toMatchObject({
      code: 'PREPARE_FAILED',
      message: expect.stringMatching(/ERDDAP knows no <oops> in EDDGridFromNcFiles \(and 1 more\)/),
      details: { problems: [{ file: 'a.xml' }, { file: 'b.xml' }] },
    })
    const both = gridDataset('a', '<fgdcFile>${HOME}</fgdcFile><oops/>')
    await expect(compiled({ 'a.xml': both })).rejects.toMatchObject({
      message: expect.stringMatching(/ERDDAP knows no <oops> in \w+$/),
    })
    const { warnings } = await compiled({ 'a.xml': gridDataset('a', '<fgdcFile>${HOME}</fgdcFile>') })
    expect(warnings).toMatchObject([{ code: 'ENV_SUBSTITUTION' }])
  })
})

describe('laws', () => {
  const FILES = { 'a.xml': gridDataset('a'), 'm.xml': gridDataset('m1') + gridDataset('m2'), 'z.xml': gridDataset('z') }

  test('any mutation of one fragment leaves the bytes of every other dataset as they were', async () => {
    const cache = new FragmentCache()
    const before = await compiled(FILES, { cache })
    const text = FILES['m.xml']
    const junk = fc.oneof(
      fc.constantFrom('<', '>', '<!--', '-->', ']]>', '<dataset ', '</dataset>', '</erddapDatasets>'),
      fc.string({ unit: 'binary', maxLength: 8 }),
    )
    const edit = fc.record({ at: fc.nat(text.length), cut: fc.nat(40), junk })
    let accepted = 0
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        let mutated = text
        for (const { at, cut, junk: added } of edits) mutated = mutated.slice(0, at) + added + mutated.slice(at + cut)
        let after: Compiled
        try {
          after = await compiled({ ...FILES, 'm.xml': mutated }, { cache })
        } catch (error) {
          expect(error).toMatchObject({ code: 'PREPARE_FAILED' })
          return
        }
        accepted++
        expect(others(after)).toEqual(others(before))
        const split = splitDatasets(Buffer.concat(after.chunks))
        expect(split.datasets.map(({ id }) => id)).toEqual(after.datasets.map(({ id }) => id))
      }),
      { numRuns: 500 },
    )
    expect(accepted).toBeGreaterThan(0)
  })

  test('what was compiled is split into the same datasets, digests and settings', async () => {
    const word = fc.constantFrom(
      'é',
      '😀',
      '&deg;',
      '&apos;',
      '&#160;',
      '&nbsp;',
      ' ',
      '\n',
      '\t',
      'x',
      '<![CDATA[ & <x> ]]>',
      '<!-- x > -->',
      '&amp;',
      '\u00a0',
    )
    const inAttribute = fc.constantFrom(
      'é',
      '😀',
      '&apos;',
      '&deg;',
      '&#10;',
      '\n',
      '\r\n',
      '\t',
      ' ',
      '&amp;',
      "'",
      '=',
    )
    const value = fc.array(inAttribute, { maxLength: 8 }).map((words) => words.join(''))
    const content = fc.array(word, { maxLength: 8 }).map((words) => words.join(''))
    await fc.assert(
      fc.asyncProperty(
        fc.array(content, { minLength: 1, maxLength: 4 }),
        content,
        value,
        async (contents, setting, attribute) => {
          const files = Object.fromEntries(
            contents.map((text, index) => [`${index}.xml`, gridDataset(`d${index}`, `<fgdcFile>${text}</fgdcFile>`)]),
          )
          const settings = `<logLevel>${setting}</logLevel><user username="${attribute}" roles=' x'/>`
          const result = await compiled({ ...files, 's.xml': settings })
          const split = splitDatasets(Buffer.concat(result.chunks))
          const plain = ({
            id,
            type,
            active,
            digest,
            source,
          }: Compiled['datasets'][number] | (typeof split.datasets)[number]) => ({
            id,
            type,
            active,
            digest,
            source: Buffer.from(source).toString(),
          })
          expect(split.datasets.map(plain)).toEqual(result.datasets.map(plain))
          expect(split.topDigest).toBe(result.topDigest)
          for (const { id, line } of split.datasets)
            expect(result.locate(line)).toEqual({ file: `${id.slice(1)}.xml`, line: 1 })
        },
      ),
      { numRuns: 200 },
    )
  })
})
