import { describe, expect, test } from 'vitest'
import { treeOf } from '../../../../test/helpers/erddap-tree.ts'
import { type Layout, layOut } from './layout.ts'
import { readManifest } from './manifest.ts'

function laidOut(paths: readonly string[], manifest?: string): Layout {
  const { files } = treeOf(Object.fromEntries(paths.map((path) => [path, path])))
  return layOut(files, manifest === undefined ? undefined : readManifest('datasets.yaml', manifest))
}

const paths = (files: readonly { readonly path: string }[]) => files.map(({ path }) => path)

describe('without a manifest', () => {
  test('every .xml file in every folder, by path, and nothing else', () => {
    const layout = laidOut([
      'b.xml',
      'a/dataset.xml',
      'a/notes.md',
      'Z.XML',
      'README.md',
      'x.xml.j2',
      'x.xml~',
      'trash/old.xml',
      'old/Trash/older.xml',
      '.git/config.xml',
      'files/iso/record.xml',
    ])
    expect(paths(layout.fragments)).toEqual(['Z.XML', 'a/dataset.xml', 'b.xml'])
    expect(layout).toMatchObject({ around: [], leftOut: [], compiled: undefined, problems: [] })
  })

  test('with a folder datasets.d only what is in it, and the rest is left out', () => {
    const layout = laidOut([
      'datasets.d/a.xml',
      'datasets.d/sub/b.xml',
      'c.xml',
      'datasets.xml',
      'datasets.template.xml',
    ])
    expect(paths(layout.fragments)).toEqual(['datasets.d/a.xml', 'datasets.d/sub/b.xml'])
    expect(paths(layout.around)).toEqual(['datasets.template.xml'])
    expect(paths(layout.leftOut)).toEqual(['c.xml'])
    expect(layout.compiled?.path).toBe('datasets.xml')
  })

  test('the template may lie beside the fragments', () => {
    expect(paths(laidOut(['a.xml', 'template.xml']).around)).toEqual(['template.xml'])
    expect(paths(laidOut(['datasets.d/a.xml', 'datasets.d/template.xml']).around)).toEqual(['datasets.d/template.xml'])
    expect(paths(laidOut(['a.xml', 'sub/template.xml']).fragments)).toEqual(['a.xml', 'sub/template.xml'])
  })
})

describe('with a manifest', () => {
  const MANIFEST =
    'datasets tree: datasets/\nprefix: prefix.xml\npostfix: postfix.xml\ndatasets:\n  - z/b.xml\n  - a.xml\n'

  test('its order, its prefix and postfix; what it does not list is left out', () => {
    const layout = laidOut(
      [
        'datasets/a.xml',
        'datasets/c.xml',
        'datasets/postfix.xml',
        'datasets/prefix.xml',
        'datasets/z/b.xml',
        'other.xml',
      ],
      MANIFEST,
    )
    expect(paths(layout.around)).toEqual(['datasets/prefix.xml', 'datasets/postfix.xml'])
    expect(paths(layout.fragments)).toEqual(['datasets/z/b.xml', 'datasets/a.xml'])
    expect(paths(layout.leftOut)).toEqual(['datasets/c.xml'])
    expect(layout.problems).toEqual([])
  })

  test('a file that is not there is an error at its line', () => {
    const layout = laidOut(['datasets/prefix.xml', 'datasets/postfix.xml', 'datasets/z/b.xml'], MANIFEST)
    expect(layout.problems).toMatchObject([
      { code: 'MANIFEST_MISSING_FILE', severity: 'error', file: 'datasets.yaml', line: 6, column: 5 },
    ])
  })

  test.each([
    ['not YAML', 'datasets: [a', 1],
    ['no keys', '- a\n- b', 1],
    ['no list', 'prefix: a.xml', 1],
    ['a list of something else', 'datasets:\n  - a: 1', 2],
    ['an unknown key', 'datasets: []\ndataset tree: x', 2],
    ['a path out of the folder', 'datasets:\n  - ../../etc/passwd', 2],
    ['an absolute path', 'datasets:\n  - /etc/passwd', 2],
    ['a folder outside', 'datasets tree: ../..\ndatasets: []', 1],
    ['a fragment twice', 'datasets:\n  - a.xml\n  - ./a.xml', 3],
    ['an alias', 'prefix: &a x.xml\ndatasets:\n  - *a', 3],
    ['brackets without end', `prefix: x.xml\ndatasets: ${'['.repeat(100_000)}`, 2],
    ['keys without end', Array.from({ length: 60_000 }, (_each, index) => `k${index}: 1\n`).join(''), 1],
  ])('%s is refused with its line', (_, text, line) => {
    const { problems } = readManifest('datasets.yaml', text)
    expect(problems[0]).toMatchObject({ code: 'MANIFEST_INVALID', severity: 'error', file: 'datasets.yaml', line })
  })
})
