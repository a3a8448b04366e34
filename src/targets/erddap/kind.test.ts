import { describe, expect, test } from 'vitest'
import { gridDataset, treeOf } from '../../../test/helpers/erddap-tree.ts'
import { erddapKind } from './kind.ts'

describe('comparing two trees', () => {
  const kind = erddapKind()
  const compare = (from: Parameters<typeof treeOf>[0], to: Parameters<typeof treeOf>[0]) =>
    kind.compare(treeOf(from), treeOf(to))
  const A = gridDataset('a')

  test('is called after the application', () => {
    expect(kind.kind).toBe('erddap')
  })

  test('added, removed, soft and hard changes, each with its path and details', async () => {
    const before = { 'a.xml': A, 'b.xml': gridDataset('b'), 'c.xml': gridDataset('c'), 'd.xml': gridDataset('d') }
    const after = {
      'a.xml': A.replace('Title of a', 'New'),
      'b.xml': gridDataset('b').replace('/data/b/', '/x/'),
      'new/d.xml': `<!-- moved -->\n${gridDataset('d')}`,
      'e.xml': gridDataset('e'),
    }
    expect(await compare(before, after)).toEqual([
      { id: 'c', effect: 'removed', path: 'c.xml', details: [] },
      { id: 'a', effect: 'soft', path: 'a.xml', details: ['title'] },
      { id: 'b', effect: 'hard', path: 'b.xml', details: ['fileDir'] },
      { id: 'e', effect: 'added', path: 'e.xml', details: [] },
    ])
    expect(await compare(before, before)).toEqual([])
  })

  test('switching off removes, switching on adds', async () => {
    const off = A.replace('"true"', '"false"')
    expect(await compare({ 'a.xml': A }, { 'a.xml': off })).toEqual([
      { id: 'a', effect: 'removed', path: 'a.xml', details: ['active'] },
    ])
    expect(await compare({ 'a.xml': off }, { 'a.xml': A })).toEqual([
      { id: 'a', effect: 'added', path: 'a.xml', details: ['active'] },
    ])
  })

  test('a tree with broken files is compared as far as it can be read', async () => {
    expect(await compare({ 'a.xml': A, 'b.xml': '<oops' }, { 'a.xml': A })).toEqual([])
  })
})
