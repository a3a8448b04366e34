import { describe, expect, test } from 'vitest'
import { gridDataset } from '../../../../test/helpers/erddap-tree.ts'
import { compareDatasets } from './compare.ts'
import { splitDatasets } from './split.ts'

const A = gridDataset('a').trim()
const compare = (before: string, after: string) => compareDatasets(Buffer.from(before), Buffer.from(after))

const REORDERED = A.replace(
  /(<dataVariable>[\s\S]*?<\/dataVariable>)(\s*)(<dataVariable>[\s\S]*<\/dataVariable>)/,
  '$3$2$1',
)
const COMPOSITE = `<dataset type="EDDGridSideBySide" datasetID="p">${gridDataset('a')}${gridDataset('b')}</dataset>`

const digest = (text: string) =>
  splitDatasets(Buffer.from(`<erddapDatasets>${text}</erddapDatasets>`)).datasets[0]?.digest

describe('metadata is soft', () => {
  test.each([
    ['title', A.replace('Title of a', 'New'), ['title']],
    ['an attribute more', A.replace('<att name="title">', '<att name="source">x</att>$&'), ['source']],
    ['an attribute less', A.replace(/<att name="title">.*<\/att>/, ''), ['title']],
    ['a translation', A.replace('<att name="title">', '<att name="title" xml:lang="fr">x</att>$&'), ['title (fr)']],
    ["a variable's attribute", A.replace('Temperature', 'Temp'), ['variable temperature: long_name']],
    ['units of no time', A.replace('degree_C', 'K'), ['variable temperature: units']],
    ['how often', A.replace('10080', '60'), ['reloadEveryNMinutes']],
    ['who may', A.replace('<fileDir>', '<accessibleTo>x</accessibleTo>$&'), ['accessibleTo']],
    ['several', A.replace('10080', '60').replace('Title of a', 'New'), ['reloadEveryNMinutes', 'title']],
    [
      'order of tags',
      A.replace(/(<fileDir>.*<\/fileDir>)(\s*)(<fileNameRegex>.*<\/fileNameRegex>)/, '$3$2$1'),
      ['order of elements'],
    ],
  ])('%s', (_, after, details) => {
    expect(compare(A, after)).toEqual({ effect: 'soft', details })
    expect(compare(after, A)).toEqual({ effect: 'soft', details })
  })

  test("two variables' units swapped are seen", () => {
    const swapped = A.replace('degree_C', 'XX').replace('PSU', 'degree_C').replace('XX', 'PSU')
    expect(compare(A, swapped)).toEqual({
      effect: 'soft',
      details: ['variable temperature: units', 'variable salinity: units'],
    })
  })
})

describe('structure is hard', () => {
  test.each([
    ['type', A.replace('EDDGridFromNcFiles', 'EDDGridFromNcFilesUnpacked'), ['type']],
    ['where the files are', A.replace('/data/a/', '/data/b/'), ['fileDir']],
    ['which files', A.replace('.*\\.nc', '.*\\.nc4'), ['fileNameRegex']],
    [
      'a tag that nobody knows to be harmless',
      A.replace('<fileDir>', '<metadataFrom>first</metadataFrom>$&'),
      ['metadataFrom'],
    ],
    ['sourceName', A.replace('<sourceName>salt<', '<sourceName>s<'), ['variable salinity: sourceName']],
    ['dataType', A.replace('<dataType>float', '<dataType>double'), ['variable temperature: dataType']],
    ['destinationName', A.replace('salinity', 'sal'), ['variable salinity: removed', 'variable sal: added']],
    [
      'a variable less',
      A.replace(/<dataVariable>\s*<sourceName>salt[\s\S]*?<\/dataVariable>/, ''),
      ['variable salinity: removed'],
    ],
    ['order of variables', REORDERED, ['order of variables']],
    [
      'missing values',
      A.replace('<att name="long_name">', '<att name="_FillValue" type="float">-1</att>$&'),
      ['variable temperature: _FillValue'],
    ],
    ['units of time', A.replace('days since', 'hours since'), ['axis time: units']],
    ['a text as time', A.replace('PSU', "yyyy-MM-dd'T'HH:mm:ss"), ['variable salinity: units']],
  ])('%s', (_, after, details) => {
    expect(compare(A, after)).toEqual({ effect: 'hard', details })
  })

  test('a mix is hard and names both', () => {
    expect(compare(A, A.replace('/data/a/', '/x/').replace('Title of a', 'New'))).toEqual({
      effect: 'hard',
      details: ['fileDir', 'title'],
    })
  })
})

describe('children', () => {
  test('are looked into, and their number and order count', () => {
    expect(compare(COMPOSITE, COMPOSITE.replace('Title of b', 'New'))).toEqual({
      effect: 'soft',
      details: ['child dataset b: title'],
    })
    expect(compare(COMPOSITE, COMPOSITE.replace('/data/b/', '/x/'))).toEqual({
      effect: 'hard',
      details: ['child dataset b: fileDir'],
    })
    expect(compare(COMPOSITE, COMPOSITE.replace(gridDataset('b'), ''))).toEqual({
      effect: 'hard',
      details: ['child dataset b: removed'],
    })
    expect(
      compare(
        COMPOSITE,
        COMPOSITE.replace(gridDataset('a'), '').replace(
          '</dataset>\n</dataset>',
          `</dataset>${gridDataset('a')}</dataset>`,
        ),
      ),
    ).toEqual({
      effect: 'hard',
      details: ['order of child datasets'],
    })
    expect(compare(COMPOSITE, COMPOSITE.replace(/(datasetID="b" active=)"true"/, '$1"false"'))).toEqual({
      effect: 'hard',
      details: ['child dataset b: active'],
    })
  })
})

describe('switching on and off', () => {
  const off = A.replace('"true"', '"false"')
  test('says so, and is never hard towards off', () => {
    expect(compare(A, off)).toEqual({ effect: 'soft', details: ['active'] })
    expect(compare(off, A)).toEqual({ effect: 'soft', details: ['active'] })
    expect(compare(A, off.replace('/data/a/', '/x/'))).toEqual({ effect: 'soft', details: ['active', 'fileDir'] })
    expect(compare(off, A.replace('/data/a/', '/x/'))).toEqual({ effect: 'hard', details: ['active', 'fileDir'] })
    expect(compare(off, off.replace('/data/a/', '/x/'))).toEqual({ effect: 'soft', details: ['fileDir'] })
  })
})

test('nothing differs exactly when the digests are equal', () => {
  const variants = [
    A,
    A.replace('<addAttributes>', '<!-- x --><addAttributes>'),
    A.replace('°', '&#176;'),
    A.replace('°', 'o'),
    REORDERED,
    A.replace('"true"', '"false"'),
    A.replace('<axisVariable>', '<axisVariable x="y">'),
  ]
  for (const before of variants) {
    for (const after of variants) {
      expect(compare(before, after).effect === 'none').toBe(digest(before) === digest(after))
    }
  }
})
