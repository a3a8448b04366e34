import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gridDataset } from '../../../../test/helpers/erddap-tree.ts'
import { type Fragment, readFragment } from './fragment.ts'

const read = (text: string | Uint8Array): Promise<Fragment> =>
  readFragment(typeof text === 'string' ? Buffer.from(text) : text)

const codes = async (text: string | Uint8Array): Promise<string[]> =>
  (await read(text)).findings.map(({ code, line, column }) => `${code} ${line}:${column}`)

const ETOPO = '<dataset type="EDDGridFromEtopo" datasetID="etopo180"></dataset>'

async function expectPlaces(text: string): Promise<void> {
  const bytes = Buffer.from(text)
  const lines = bytes.toString().split('\n')
  const fragment = await readFragment(bytes)
  for (const { line, column, message } of fragment.findings) {
    const inside = line >= 1 && line <= lines.length && column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1
    if (!inside) expect.fail(`${line}:${column} ${message} in ${JSON.stringify(text)}`)
  }
  if (fragment.findings.every(({ code }) => code !== 'XML_MALFORMED')) return
  expect(fragment.findings.some(({ severity }) => severity === 'error')).toBe(true)
}

const inside = (text: string) => `<dataset type="EDDTableFromErddap" datasetID="a">\n${text}</dataset>`

describe('what a fragment holds', () => {
  test('one dataset, its bytes as they are', async () => {
    const text = gridDataset('a')
    const fragment = await read(`\n\n${text}`)
    expect(fragment).toMatchObject({ kind: 'fragment', line: 3, findings: [] })
    expect(Buffer.from(fragment.bytes).toString()).toBe(text)
    expect(fragment.lines).toBe(text.split('\n').length - 1)
    const [dataset] = fragment.datasets
    expect(dataset).toMatchObject({ id: 'a', type: 'EDDGridFromNcFiles', active: true, line: 3, start: 0 })
    expect(Buffer.from(fragment.bytes).subarray(dataset!.start, dataset!.end).toString()).toBe(text.trimEnd())
  })

  test('several datasets in a file without a root, between settings and comments', async () => {
    const fragment = await read(
      `<!-- ours -->\n<user username="ü" password="p" roles="r"/>\n${ETOPO}\n<!-- é -->${ETOPO.replace('180', '360')}`,
    )
    expect(fragment.findings).toEqual([])
    expect(fragment.settings).toHaveLength(1)
    expect(fragment.datasets.map(({ id, line }) => [id, line])).toEqual([
      ['etopo180', 3],
      ['etopo360', 4],
    ])
    const sources = fragment.datasets.map(({ start, end }) =>
      Buffer.from(fragment.bytes).subarray(start, end).toString(),
    )
    expect(sources).toEqual([ETOPO, ETOPO.replace('180', '360')])
  })

  test('children of a composite dataset are not datasets of their own', async () => {
    const child = '<dataset type="EDDGridFromErddap" datasetID="child"><sourceUrl>x</sourceUrl></dataset>'
    const fragment = await read(`<dataset type="EDDGridSideBySide" datasetID="parent">${child}</dataset>`)
    expect(fragment.datasets.map(({ id }) => id)).toEqual(['parent'])
    expect(fragment.findings).toEqual([])
  })

  test('a wrapped file is a collection, with the place where it closes', async () => {
    const fragment = await read(`<?xml version="1.0" ?>\n<erddapDatasets>\n${ETOPO}\n</erddapDatasets> <!-- end -->`)
    expect(fragment).toMatchObject({ kind: 'collection', line: 2 })
    expect(Buffer.from(fragment.bytes).subarray(fragment.closeAt).toString()).toBe('</erddapDatasets> <!-- end -->\n')
  })

  test.each([
    ['ISO 19115', '<?xml version="1.0"?><gmi:MI_Metadata xmlns:gmi="http://www.isotc211.org/2005/gmi"/>'],
    [
      'FGDC, with a DOCTYPE',
      '<?xml version="1.0"?>\n<!DOCTYPE metadata SYSTEM "fgdc.dtd">\n<metadata><idinfo/></metadata>',
    ],
    ['ISO 19115 without a prefix', '<!-- x --><MD_Metadata xmlns="http://www.isotc211.org/2005/gmd"></MD_Metadata>'],
  ])('a record (%s) is something else, and not looked into', async (_, text) => {
    expect(await read(text)).toMatchObject({ kind: 'other', findings: [], datasets: [] })
  })

  test('a misspelt root is an error with what was meant, never something else', async () => {
    for (const root of ['dataste', 'Dataset', 'dateset xmlns="x"']) {
      const [name = ''] = root.split(' ')
      const fragment = await read(`<${root} type="EDDGridFromEtopo" datasetID="x"></${name}>`)
      expect(fragment.findings).toMatchObject([
        { code: 'TAG_UNKNOWN_TOP', severity: 'error', line: 1, column: 1, hint: 'Did you mean "dataset"?' },
      ])
    }
  })

  test('CRLF stays, and lines are counted once', async () => {
    const fragment = await read(gridDataset('a').replaceAll('\n', '\r\n') + ETOPO)
    expect(fragment.datasets.map(({ line }) => line)).toEqual([1, 35])
    expect(Buffer.from(fragment.bytes).includes('\r\n')).toBe(true)
  })

  test('nothing at all is refused, comments alone are not', async () => {
    expect(await codes('')).toEqual(['XML_MALFORMED 1:1'])
    expect(await codes(' \n ')).toEqual(['XML_MALFORMED 1:1'])
    expect(await codes('<!-- all switched off -->')).toEqual([])
  })
})

describe('references', () => {
  test("HTML's entities and &apos; become numbers, characters above U+FFFF themselves; lines stay", async () => {
    const fragment = await read(
      `<standardContact>&deg;&euro;&apos;\n&#128512;&#x1F600;&amp;&lt;&#176;<!-- &deg; --><![CDATA[&deg;]]></standardContact>`,
    )
    expect(fragment.findings).toEqual([])
    expect(Buffer.from(fragment.bytes).toString()).toBe(
      '<standardContact>&#176;&#8364;&#39;\n😀😀&amp;&lt;&#176;<!-- &deg; --><![CDATA[&deg;]]></standardContact>\n',
    )
  })

  test('an unknown entity, a bare & and the names of object properties are refused', async () => {
    expect(await codes(`<logLevel>\n&foo;</logLevel>`)).toEqual(['XML_MALFORMED 2:6'])
    expect(await codes(`<logLevel>\na & b</logLevel>`)).toEqual(['XML_MALFORMED 2:4'])
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect(await codes(`<logLevel>&${name};</logLevel>`), name).toHaveLength(1)
    }
  })
})

describe('hostile and broken files', () => {
  test('an entity bomb is refused for its DOCTYPE, at its place', async () => {
    const bomb = `<!DOCTYPE lolz [<!ENTITY a "ha">${Array.from({ length: 20 }, (_, i) => `<!ENTITY a${i} "&a;&a;">`).join('')}]>`
    expect(await codes(`<!-- x -->\n${bomb}\n<dataset>&a19;</dataset>`)).toEqual(['XML_DOCTYPE 2:1'])
    expect(await codes(`${ETOPO}\n${bomb}`)).toEqual(['XML_DOCTYPE 2:1'])
  })

  test('an HTML page in CDATA may have its DOCTYPE', async () => {
    expect(await codes('<startHeadHtml5><![CDATA[<!DOCTYPE html>\n<html>]]></startHeadHtml5>')).toEqual([])
  })

  test('10,000 levels end at the 65th, quickly', async () => {
    const started = performance.now()
    expect(await codes('<a>'.repeat(10_000))).toEqual(['XML_TOO_DEEP 1:193'])
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test.each(['<', '<!', '<?', '<a:', '<a', '</', '&', '<![CDATA[', '<!--', '<!DOCTYPE ['])(
    'a megabyte of %s is refused at once',
    async (text) => {
      expect(await codes(text.repeat(Math.ceil(1_000_000 / text.length)))).toHaveLength(1)
    },
  )

  test('a million unknown tags are reported a hundred times', async () => {
    const fragment = await read(ETOPO.replace('><', `>${'<x/>'.repeat(1_000_000)}<`))
    expect(fragment.findings).toHaveLength(100)
  })

  test('a million datasets on one line are read as quickly as on a million lines', { timeout: 15_000 }, async () => {
    const { findings, datasets } = await read('<dataset/>'.repeat(1_000_000))
    expect(datasets).toHaveLength(1_000_000)
    expect(datasets.at(-1)).toMatchObject({ line: 1, start: 9_999_990 })
    expect(findings).toHaveLength(50_001)
  })

  test.each([
    ['instructions', '<?a?>', 100],
    ['raw > in attributes', '<logLevel a=">"/>', 100],
    ['unknown top-level tags', '<x/>', 50_001],
    ['text outside', '<logLevel/>x', 50_001],
    ['variables', '<logLevel>${x}</logLevel>', 50_001],
  ])('%s without end are reported up to a limit, and refused', async (_, text, count) => {
    const { findings } = await read(text.repeat(100_000))
    expect(findings).toHaveLength(count)
    expect(findings.some(({ severity }) => severity === 'error')).toBe(true)
  })

  test.each([
    ['text outside', `${ETOPO}\n }`, 'XML_MALFORMED 2:2'],
    ['a second closing tag', `${ETOPO}</dataset>`, 'XML_MALFORMED 1:75'],
    [
      'an unclosed tag',
      `<dataset type="EDDGridFromEtopo" datasetID="a">\n<nThreads>\n</dataset>`,
      'XML_MALFORMED 3:11',
    ],
    ['an unclosed comment', `<!-- x\n${ETOPO}`, 'XML_MALFORMED 2:65'],
    ['a comment with --', `<!-- a -- b -->${ETOPO}`, 'XML_MALFORMED 1:8'],
    ['a duplicate attribute', '<logLevel a="1" a="2"/>', 'XML_MALFORMED 1:22'],
    ['a control character', '<logLevel>\u0001</logLevel>', 'XML_MALFORMED 1:11'],
    ['an unquoted value', '<logLevel a=1/>', 'XML_MALFORMED 1:13'],
    ['a late declaration', ' <?xml version="1.0"?><logLevel/>', 'XML_MALFORMED 1:7'],
    ['a broken declaration', '<?xml encoding="UTF-8"?><logLevel/>', 'XML_MALFORMED 1:1'],
    ['CDATA outside', `${ETOPO}<![CDATA[x]]>`, 'XML_MALFORMED 1:65'],
  ])('%s is refused with its place', async (_, text, code) => {
    expect(await codes(text)).toEqual([code])
  })

  test('malformed XML is explained by its cause', async () => {
    const { findings } = await read(
      `<dataset type="EDDGridFromEtopo" datasetID="a">\n<nThreads>1</nthreads>\n</dataset>`,
    )
    expect(findings[0]?.message).toMatch(/nThreads line 2 and nthreads/)
    const unclosed = await read('<dataset type="EDDGridFromEtopo" datasetID="a">\n<nThreads>1</nThreads>')
    expect(unclosed.findings[0]?.message).toMatch(/dataset/)
  })

  const SMALL = `<!-- é --><dataset type="EDDGridFromEtopo" datasetID='etopo180' active="true">
 <nThreads>1</nThreads><!-- > --><accessibleViaWMS><![CDATA[true]]></accessibleViaWMS>&amp;&#169;
</dataset>
<user username="ü" roles=""/>`

  test('at every position, with every kind of slip: taken as well-formed, or refused with a place inside the file', async () => {
    const variants: string[] = []
    for (let at = 0; at <= SMALL.length; at++) {
      variants.push(SMALL.slice(0, at), SMALL.slice(0, at) + SMALL.slice(at + 1))
      for (const extra of '<>&"\'/ =a-!?[]\u0000\uD800') variants.push(SMALL.slice(0, at) + extra + SMALL.slice(at))
    }
    for (const variant of variants) await expectPlaces(variant)
  })

  test('whatever bytes come in: an answer, with places inside the file', async () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '&',
      ';',
      '"',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?xml',
      '?>',
      '${node.x}',
      'é',
    )
    const soup = fc.array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(soup, fc.nat(), async (parts, at) => {
        const cut = at % SMALL.length
        await expectPlaces(SMALL.slice(0, cut) + parts.join('') + SMALL.slice(cut))
      }),
      { numRuns: 300 },
    )
  })
})

describe("forms that ERDDAP's reader takes for something else", () => {
  test.each([
    ['a raw > in an attribute', inside('<sourceUrl a="x>y">u</sourceUrl>'), 'ATTRIBUTE_GT 2:16'],
    ['white space before =', inside('<sourceUrl a ="x">u</sourceUrl>'), 'XML_FORM 2:13'],
    ['white space behind =', inside('<sourceUrl  a= "x">u</sourceUrl>'), 'XML_FORM 2:14'],
    ['a comment that opens with >', inside('<!--> <x> -->'), 'XML_FORM 2:1'],
    ['CDATA that opens with >', inside('<sourceUrl><![CDATA[a>b]]></sourceUrl>'), 'XML_FORM 2:12'],
    ['an instruction', inside('<?php x ?>'), 'XML_FORM 2:1'],
  ])('%s is an error', async (_, text, code) => {
    expect(await codes(text)).toEqual([code])
  })

  test('an equals sign, quotes and > elsewhere are fine', async () => {
    const text = inside(`<sourceUrl a="b = c"  d='e="f" = g'\n  h="&gt;">a = b > c</sourceUrl><!-- x > y = "z -->`)
    expect(await codes(text)).toEqual([])
  })
})
