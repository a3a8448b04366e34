import { describe, expect, test } from 'vitest'
import { gridDataset } from '../../../../test/helpers/erddap-tree.ts'
import { readFragment } from './fragment.ts'

async function findings(text: string) {
  const { findings: found } = await readFragment(Buffer.from(text))
  return found.filter(({ code }) => code !== 'TAG_VERSION')
}

const table = (inside: string, id = 'datasetID="a"') =>
  `<dataset type="EDDTableFromNcFiles" ${id}>\n${inside}\n</dataset>`

const child = (attributes: string) =>
  `<dataset type="EDDGridLonPM180" datasetID="a"><dataset ${attributes}><fileDir>x</fileDir></dataset></dataset>`

describe('tags', () => {
  test.each([
    ['fileDirr', 'Did you mean "fileDir"?'],
    ['matchAxisNDigits', 'It belongs to other types, such as EDDGridFromAudioFiles.'],
    ['att', 'It belongs inside <addAttributes>.'],
    ['altitudeMetersPerSourceUnit', 'Delete it if it is 1; otherwise set scale_factor of the altitude variable.'],
  ])('<%s> in a table of files', async (tag, hint) => {
    expect(await findings(table(`  <${tag}>x</${tag}>`))).toMatchObject([
      { code: 'TAG_UNKNOWN', severity: 'error', line: 2, column: 3, hint, within: 0 },
    ])
  })

  test.each([
    ['<dataVariable><source>x</source></dataVariable>', 'ERDDAP knows no <source> in <dataVariable>'],
    ['<dataVariable><addAttributes><a/></addAttributes></dataVariable>', 'ERDDAP knows no <a> in <addAttributes>'],
    ['<fileDir>a<b/></fileDir>', 'ERDDAP knows no <b> in <fileDir>'],
    ['<axisVariable/>', 'ERDDAP knows no <axisVariable> in EDDTableFromNcFiles'],
  ])('%s', async (inside, message) => {
    expect(await findings(table(inside))).toMatchObject([{ code: 'TAG_UNKNOWN', message }])
  })

  test('an <att> without a name takes the dataset down, so it is an error', async () => {
    expect(await findings(table('<addAttributes><att>x</att></addAttributes>'))).toMatchObject([
      { code: 'XML_FORM', message: 'an <att> without a name' },
    ])
  })

  test('tags inside a setting', async () => {
    expect(await findings('<standardLicense>a <b>bold</b> word</standardLicense>')).toMatchObject([
      { code: 'TAG_UNKNOWN_TOP', column: 20 },
    ])
  })

  test('children are checked by their own type, inactive ones not at all', async () => {
    expect(await findings(child('type="EDDGridFromNcFiles" datasetID="b"'))).toEqual([])
    expect(await findings(child('type="EDDGridFromErddap" datasetID="b"'))).toMatchObject([{ code: 'TAG_UNKNOWN' }])
    expect(await findings(child('type="EDDGridFromErddap"'))).toMatchObject([
      { code: 'ID_MISSING' },
      { code: 'TAG_UNKNOWN' },
    ])
    expect(await findings(child('active="false"'))).toEqual([])
  })

  test('a whole definition of every kind of tag is clean', async () => {
    expect(await findings(gridDataset('a'))).toEqual([])
  })
})

describe('ids and types', () => {
  test.each(['a', 'A1', 'ubcSSg3D-V21-11', 'x_y', '1abc', '_a', '__a__', 'constructor', 'a'.repeat(128)])(
    'the id %s is fine',
    async (id) => {
      expect(await findings(gridDataset(id))).toEqual([])
    },
  )

  test.each([
    '../../etc/passwd',
    '/etc/passwd',
    'a/b',
    'a.b',
    '..',
    'a b',
    '-a',
    'é',
    'a&#10;b',
    '${node.name}x',
    'allDatasets',
    '__proto__',
    'a'.repeat(129),
    '😀',
  ])('the id %s is refused', async (id) => {
    const first = (await findings(table('', `datasetID="${id}"`))).find(({ nodeValue }) => nodeValue === undefined)
    expect(first).toMatchObject({ code: 'ID_ILLEGAL', severity: 'error', line: 1 })
    expect(first?.onlyIfActive).toBeUndefined()
  })

  test.each([
    ['', 'Add datasetID="…".'],
    ['datasetID=" "', 'Add datasetID="…".'],
    ['datasetId="a"', 'The attribute is datasetID, spelt exactly so.'],
  ])('no id: %s', async (id, hint) => {
    expect(await findings(table('', id))).toMatchObject([{ code: 'ID_MISSING', hint }])
  })

  test('types: missing, misspelt, and inside the right one', async () => {
    expect(await findings('<dataset datasetID="a"><x/></dataset>')).toMatchObject([{ code: 'TYPE_MISSING' }])
    expect(await findings('<dataset datasetID="a" type="EDDTableFromNCFiles"><x/></dataset>')).toMatchObject([
      { code: 'TYPE_UNKNOWN', hint: 'Did you mean "EDDTableFromNcFiles"?' },
    ])
  })
})

describe('versions', () => {
  test('what is newer carries the version it needs', async () => {
    const { findings: found } = await readFragment(
      Buffer.from(
        `<cacheClearMinutes>1</cacheClearMinutes><dataset type="EDDTableFromParquetFiles" datasetID="a"><addVariablesWhere>x</addVariablesWhere></dataset>`,
      ),
    )
    expect(found.map(({ code, since }) => [code, since])).toEqual([
      ['TAG_VERSION', '2.27'],
      ['TAG_VERSION', '2.25'],
      ['TAG_VERSION', '2.10'],
    ])
  })
})
