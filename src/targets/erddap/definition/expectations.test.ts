import { describe, expect, test } from 'vitest'
import { gridDataset } from '../../../../test/helpers/erddap-tree.ts'
import { expectations } from './expectations.ts'

const A = gridDataset('a')
const expected = (after: string, before?: string, limit?: number) =>
  expectations(before === undefined ? undefined : Buffer.from(before), Buffer.from(after), limit)

describe('what must be seen on the information page', () => {
  test('texts of the dataset and of its variables, not of its coordinates', () => {
    expect(expected(A)).toEqual([
      { variable: 'NC_GLOBAL', attribute: 'title', value: 'Title of a' },
      { variable: 'NC_GLOBAL', attribute: 'summary', value: 'First line.\nSecond line, with ° and é.' },
      { variable: 'temperature', attribute: 'units', value: 'degree_C' },
      { variable: 'temperature', attribute: 'long_name', value: 'Temperature' },
      { variable: 'salinity', attribute: 'units', value: 'PSU' },
    ])
    expect(expected(A, undefined, 2)).toHaveLength(2)
  })

  test('only what differs, if there was something before', () => {
    expect(expected(A.replace('PSU', '1e-3'), A)).toEqual([{ variable: 'salinity', attribute: 'units', value: '1e-3' }])
    expect(expected(A, A)).toEqual([])
    expect(expected(A.replace('<att name="title">Title of a</att>', ''), A)).toEqual([])
    expect(expected(A.replace('<destinationName>salinity</destinationName>', ''), A)).toEqual([
      { variable: 'salt', attribute: 'units', value: 'PSU' },
    ])
  })

  test.each([
    '<att name="x" type="double">1</att>',
    '<att name="x">null</att>',
    '<att name="x"></att>',
    '<att name="x">${HOME}</att>',
    '<att name="x">http://example.com</att>',
    '<att name="license">[standard]</att>',
    '<att name="keywords">b, a</att>',
    '<att name="geospatial_lat_min">1</att>',
    '<att name="Northernmost_Northing">1</att>',
    '<att name="x" xml:lang="fr">y</att>',
  ])('not %s, which ERDDAP shows otherwise or not at all', (attribute) => {
    expect(expected(A.replace('<att name="title">', `${attribute}$&`), A)).toEqual([])
  })

  test('the last of a name counts, as in ERDDAP', () => {
    expect(expected(A.replace('<att name="summary">', '<att name="title" type="String">Other</att>$&'), A)).toEqual([
      { variable: 'NC_GLOBAL', attribute: 'title', value: 'Other' },
    ])
  })
})
