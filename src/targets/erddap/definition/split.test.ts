import { describe, expect, test } from 'vitest'
import { gridDataset } from '../../../../test/helpers/erddap-tree.ts'
import { splitDatasets } from './split.ts'

const HEADER = '<?xml version="1.0" encoding="UTF-8" ?>\n'
const wrap = (inside: string) => `${HEADER}<erddapDatasets>\n${inside}</erddapDatasets>\n`
const top = (inside: string) => splitDatasets(Buffer.from(wrap(inside))).topDigest

describe('an existing datasets.xml', () => {
  test('its datasets, byte for byte, with lines; not their children, not what is in comments', () => {
    const parent = `<dataset type="EDDGridSideBySide" datasetID="p">${gridDataset('child')}</dataset>`
    const text = wrap(`<!-- ${gridDataset('no')} -->\n${gridDataset('a')}<logLevel>é</logLevel>\n${parent}\n`)
    const { datasets } = splitDatasets(Buffer.from(text))
    expect(datasets.map(({ id, type, active, line }) => [id, type, active, line])).toEqual([
      ['a', 'EDDGridFromNcFiles', true, 38],
      ['p', 'EDDGridSideBySide', true, 73],
    ])
    expect(datasets.map(({ source }) => Buffer.from(source).toString())).toEqual([gridDataset('a').trim(), parent])
  })

  test('takes what ERDDAP takes, although it is no XML', () => {
    const text = wrap(
      [
        '<!-- a -- b -->',
        '<dataset type="EDDTableFromErddap" datasetID="a" active=false><sourceUrl>x & y &oops; &apos;</sourceUrl></dataset>',
        '<standardLicense>&erddapVersion;</standardLicense>',
        `<dataset type='EDDTableFromErddap' datasetID='b'/>`,
      ].join('\n'),
    )
    const { datasets } = splitDatasets(Buffer.from(`${text}</and> <more`))
    expect(datasets.map(({ id, active }) => [id, active])).toEqual([
      ['a', false],
      ['b', true],
    ])
  })

  test('settings have a digest of their own', () => {
    expect(top('<logLevel>all</logLevel>')).toBe(top(`<!-- x -->${gridDataset('a')} <logLevel> all\n</logLevel>`))
    expect(top('<logLevel>all</logLevel>')).not.toBe(top('<logLevel>info</logLevel>'))
    expect(top('<logLevel>all</logLevel><user username="a"/>')).not.toBe(
      top('<user username="a"/><logLevel>all</logLevel>'),
    )
  })

  test('other encodings are read as declared, bytes that fit none are replaced as ERDDAP does', () => {
    const latin1 = Buffer.from(
      `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<erddapDatasets>${gridDataset('a')}</erddapDatasets>`,
      'latin1',
    )
    expect(Buffer.from(splitDatasets(latin1).datasets[0]!.source).toString()).toBe(gridDataset('a').trim())
    const wrong = Buffer.from(wrap(gridDataset('a')), 'latin1')
    expect(Buffer.from(splitDatasets(wrong).datasets[0]!.source).toString()).toContain('\uFFFD')
  })

  test.each([
    ['no root', '<dataset/>', 1],
    ['an end without a start', wrap('</dataset>\n'), 3],
    ['a start without an end', wrap('<dataset>\n'), 4],
    ['a comment without an end', wrap('\n<!-- x\n'), 4],
    ['the end of the file', `${HEADER}<erddapDatasets>\n`, 2],
    ['a DOCTYPE', wrap('<!DOCTYPE x>'), 3],
    ['300 levels', wrap('<a>'.repeat(300)), 3],
    ['nothing', '', 1],
  ])('%s is refused with its line', (_, text, line) => {
    expect(() => splitDatasets(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'CHECK_FAILED', details: expect.objectContaining({ line }) }),
    )
  })
})
