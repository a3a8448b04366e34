import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gridDataset } from '../../../../test/helpers/erddap-tree.ts'
import { readFragment } from './fragment.ts'

async function digest(text: string): Promise<string | undefined> {
  const { datasets, findings } = await readFragment(Buffer.from(text))
  expect(findings.filter(({ code }) => code !== 'TAG_VERSION')).toEqual([])
  return datasets[0]?.digest
}

const A = gridDataset('a')

describe('the digest stays', () => {
  test.each([
    ['comments', A.replace('<fileDir>', '<!-- a > b --><fileDir>').replace('/data/a/', '/data<!-- x -->/a/')],
    ['indentation', A.replaceAll(/>\n\s*</g, '>\n\n\t<')],
    ['line ends', A.replaceAll('\n', '\r\n')],
    ['white space around text', A.replace('/data/a/', '\n  /data/a/\t\u00a0')],
    [
      'the order of attributes',
      A.replace('type="EDDGridFromNcFiles" datasetID="a"', `datasetID='a'\n  type="EDDGridFromNcFiles"`),
    ],
    ['the spelling of characters', A.replace('°', '&deg;').replace('é', '&#xE9;').replace('Title', '&#84;itle')],
    ['CDATA', A.replace('Title of a', '<![CDATA[Title]]> of <![CDATA[a]]>').replace('°', '<![CDATA[°]]>')],
    ['active spelt otherwise', A.replace(' active="true"', '')],
    ['text that ERDDAP ignores', A.replace('<addAttributes>', '<addAttributes>stray')],
    [
      'closing itself',
      A.replace('<fileNameRegex>.*\\.nc</fileNameRegex>', '$&<fgdcFile/>').replace(
        '<fgdcFile/>',
        '<fgdcFile></fgdcFile>',
      ),
    ],
  ])('for %s', async (name, text) => {
    const base = name === 'closing itself' ? A.replace('<fileNameRegex>.*\\.nc</fileNameRegex>', '$&<fgdcFile/>') : A
    expect(await digest(text)).toBe(await digest(base))
  })

  test('under any mix of comments, white space, quotes and CDATA (property)', async () => {
    const base = await digest(A)
    const gap = fc.constantFrom('', ' ', '\n\n', '<!-- x -->', '\t<!-- <dataset> -->\r\n')
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(gap), fc.boolean(), fc.boolean(), async (gaps, single, cdata) => {
        let text = A.replaceAll(
          /(?<=>)\s*(?=<(?!\/(?:att|sourceName|destinationName|dataType|file\w+|reload\w+)>))/g,
          () => gaps.next().value ?? '',
        )
        if (single) text = text.replaceAll(/="([^"']*)"/g, "='$1'")
        if (cdata) text = text.replaceAll(/(<att [^>]*>)([^<]*)(<\/att>)/g, '$1<![CDATA[$2]]>$3')
        expect(await digest(text)).toBe(base)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the digest changes', () => {
  test.each([
    ['a word', A.replace('Title of', 'Heading of')],
    ['white space inside a text', A.replace('First line.\n', 'First line.\n\n')],
    ['a no-break space that ERDDAP keeps', A.replace('Title of a', '&#160;Title of a')],
    [
      'the order of variables',
      A.replace(/(<dataVariable>[\s\S]*?<\/dataVariable>)([\s\S]*)(<dataVariable>[\s\S]*<\/dataVariable>)/, '$3$2$1'),
    ],
    ["two variables' units swapped", A.replace('degree_C', 'XX').replace('PSU', 'degree_C').replace('XX', 'PSU')],
    [
      'the order of attributes in a list',
      A.replace(/(<att name="units">degree_C<\/att>)(\s*)(<att name="long_name">.*<\/att>)/, '$3$2$1'),
    ],
    ['the type of an attribute', A.replace('<att name="title">', '<att name="title" type="double">')],
    ['switched off', A.replace('"true"', '"false"')],
    ['a tag that closes elsewhere', A.replace('<fileDir>/data/a/</fileDir>', '<fileDir></fileDir>')],
  ])('for %s', async (_, text) => {
    expect(text).not.toBe(A)
    expect(await digest(text)).not.toBe(await digest(A))
  })
})
