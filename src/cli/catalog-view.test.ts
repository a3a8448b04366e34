import { expect, test } from 'vitest'
import type { CatalogDifference, NodeCatalog } from '../core/api-catalog.ts'
import { printNode } from './catalog-view.ts'
import { Output } from './output.ts'

const NONE: NodeCatalog = {
  atMs: 0,
  role: 'replica',
  release: 1,
  counts: { conflict: 0, report: 0, propose: 0, apply: 0 },
  differences: [],
  kept: 0,
  problems: [],
  proposal: { state: 'none' },
  orders: [],
}

function printed(more: Partial<NodeCatalog>): string {
  let text = ''
  const out = { write: (part: string | Uint8Array) => void (text += String(part)), columns: undefined }
  const catalog = { ...NONE, ...more }
  printNode({ node: 'geo2', liveness: 'alive', catalog, waiting: [] }, 'catalog', 0, new Output(out, out, {}))
  return text
}

test('what a release brings or takes away is not said to have been deleted or made on the node', () => {
  const of = (decision: CatalogDifference['decision']): string => {
    const differences: CatalogDifference[] = [
      { key: 'style/new', path: 'styles/new.xml', decision, desired: 'a' },
      { key: 'style/old', path: 'styles/old.xml', decision, local: 'a' },
    ]
    return printed({ differences, counts: { ...NONE.counts, [decision]: 2 } })
  }
  expect(of('apply')).toContain('style/new  not here yet\n  style/old  still here\n')
  expect(of('propose')).toContain('style/new  deleted here\n  style/old  only here\n')
})

test('one version is kept, and several are', () => {
  expect(printed({ kept: 1 })).toContain('geo2: 1 version that was overwritten is kept: flotilla catalog kept')
  expect(printed({ kept: 6 })).toContain('geo2: 6 versions that were overwritten are kept: flotilla catalog kept')
})

test('a name in a data directory forges no line', () => {
  const file = 'styles/a\nerror: \u001b]0;b\u0007.svg'
  const text = printed({ problems: [{ severity: 'warning', code: 'FILE_NAME', file, message: 'no' }] })
  expect(text).toContain(String.raw`  styles/a\u000aerror: \u001b]0;b\u0007.svg: warning: no [FILE_NAME]`)
})
