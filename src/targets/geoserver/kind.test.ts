import { expect, test } from 'vitest'
import { readDirectory, smallDirectory } from '../../../test/helpers/geoserver-directory.ts'
import type { FileTree } from '../../core/tree.ts'
import { sha256 } from '../../lib/hash.ts'
import { geoserverKind } from './kind.ts'

type Contents = Map<string, string>

/** The small directory as a release holds it. */
function release(): Contents {
  const files = readDirectory(smallDirectory()).files.values()
  return new Map(Array.from(files, ({ entry, bytes }) => [entry.path, Buffer.from(bytes).toString()]))
}

function treeOf(contents: Contents, reads: string[] = []): FileTree {
  const files = Array.from(contents, ([path, text]) => ({ path, size: Buffer.byteLength(text), sha256: sha256(text) }))
  return {
    files: files.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    read: (path) => {
      reads.push(path)
      return Promise.resolve(Buffer.from(contents.get(path) ?? ''))
    },
  }
}

function changed(path: string, from: string | RegExp, to: string): Contents {
  const contents = release()
  const was = contents.get(path) ?? ''
  expect(was.replace(from, to)).not.toBe(was)
  return contents.set(path, was.replace(from, to))
}

const STORE = 'workspaces/w1/store/datastore.xml'
const LAYER = 'workspaces/w1/store/cities/layer.xml'

test('every object and file of a release is an item', async () => {
  const { items, problems } = await geoserverKind().check(treeOf(release()), {})
  expect(problems).toEqual([])
  expect(items).toHaveLength(release().size)
  expect(items.find(({ id }) => id === 'layer/w1:cities')).toMatchObject({ type: 'layer', path: LAYER, active: true })
  expect(items.find(({ id }) => id === 'file/styles/burg.sld')).toMatchObject({ type: 'style-body' })
})

test.for([
  ['malformed XML', LAYER, '<layer><name>', 'XML_MALFORMED'],
  ['a reference to nothing', 'workspaces/w1/styles/burg.xml', undefined, 'REFERENCE_MISSING'],
  [
    'an object in two files',
    'workspaces/w1/layergroups/x.xml',
    '<layerGroup><name>inner</name><workspace><name>w1</name></workspace></layerGroup>',
    'KEY_DUPLICATE',
  ],
  [
    'an id of a node',
    LAYER,
    '<layer><name>cities</name><resource class="featureType"><id>FeatureTypeInfoImpl-1:1:-1</id></resource></layer>',
    'REFERENCE_MISSING',
  ],
  ['a keystore', 'security/geoserver.jceks', 'x', 'PATH_REFUSED'],
  ['data', 'data/states.shp', 'x', 'PATH_REFUSED'],
  ['a log', 'logs/geoserver.log', 'x', 'PATH_REFUSED'],
  ['a temporary file', 'styles/burg.sld.bak', 'x', 'PATH_REFUSED'],
  ['a path that leads out', 'workspaces/../security/a', 'x', 'PATH_REFUSED'],
  ['an entity', 'wms.xml', '<!DOCTYPE x [<!ENTITY a "b">]><wms>&a;</wms>', 'XML_DOCTYPE'],
] as const)('%s refuses a release', async ([, path, text, code]) => {
  const contents = release()
  if (text === undefined) contents.delete(path)
  else contents.set(path, text)
  const { problems } = await geoserverKind().check(treeOf(contents), {})
  expect(problems.filter(({ severity }) => severity === 'error').map((problem) => problem.code)).toContain(code)
})

test('a release of nothing is refused', async () => {
  const { problems } = await geoserverKind().check(treeOf(new Map([['flotilla-geoserver.json', '{}']])), {})
  expect(problems).toMatchObject([{ code: 'EMPTY', severity: 'error' }])
})

test('a password in plain is a warning that does not repeat it', async () => {
  const contents = changed(STORE, /crypt1:\w+/, 'plain:sesame')
  const { problems } = await geoserverKind().check(treeOf(contents), {})
  expect(problems).toMatchObject([{ code: 'PASSWORD_PLAIN', severity: 'warning', file: STORE, line: 8 }])
  expect(JSON.stringify(problems)).not.toContain('sesame')
})

test('only files that changed are read again', async () => {
  const kind = geoserverKind()
  await kind.check(treeOf(release()), {})
  const reads: string[] = []
  const contents = changed('wms.xml', '25', '26').set('styles/burg.sld', '<other/>')
  await kind.check(treeOf(contents, reads), {})
  expect(reads).toEqual(['wms.xml'])
})

test('what is only written otherwise is no change', async () => {
  const contents = changed(LAYER, />\n\s*</g, '><')
  expect(await geoserverKind().compare(treeOf(release()), treeOf(contents))).toEqual([])
})

test.for([
  ['a value', 'wms.xml', '25', '26', 'service/wms', 'soft', 'maxBuffer: "25" → "26"'],
  [
    'a parameter',
    STORE,
    'db.invalid',
    'db2.invalid',
    'datastore/w1:store',
    'soft',
    'connectionParameters/host: "db.invalid" → "db2.invalid"',
  ],
  [
    'a style',
    LAYER,
    '<name>burg</name>\n    <workspace>w1</workspace>',
    '<name>burg</name>',
    'layer/w1:cities',
    'soft',
    'defaultStyle',
  ],
  [
    'another encryption',
    STORE,
    /crypt1:\w+/,
    'crypt1:hidden',
    'datastore/w1:store',
    'soft',
    'connectionParameters/passwd',
  ],
  ['a password in plain', STORE, /crypt1:\w+/, 'hidden', 'datastore/w1:store', 'soft', 'connectionParameters/passwd'],
  [
    'a placeholder',
    STORE,
    /crypt1:\w+/,
    '${pgpw}',
    'datastore/w1:store',
    'hard',
    'connectionParameters/passwd: (not shown) → "${pgpw}"',
  ],
  [
    'an address with a password',
    STORE,
    'file:data/w1',
    'http://me:hidden@host/?password=hidden',
    'datastore/w1:store',
    'soft',
    'connectionParameters/url: "file:data/w1" → "http://(not shown)@host/?password=(not shown)"',
  ],
  [
    'a field that REST cannot take away',
    'wms.xml',
    /<maxBuffer>25<\/maxBuffer>/,
    '<maxBuffer>25</maxBuffer>\n  <interpolation>Nearest</interpolation>',
    'service/wms',
    'soft',
    'interpolation: nothing → "Nearest"',
  ],
] as const)('%s is told to people, without secrets', async ([, path, from, to, id, effect, detail]) => {
  const changes = await geoserverKind().compare(treeOf(release()), treeOf(changed(path, from, to)))
  expect(changes).toEqual([{ id, effect, path, details: [detail] }])
  expect(JSON.stringify(changes)).not.toMatch(/hidden|crypt1/)
})

test('what only a reload takes away is hard', async () => {
  const before = changed('wms.xml', '</wms>', '<dpi>90</dpi></wms>')
  const changes = await geoserverKind().compare(treeOf(before), treeOf(release()))
  expect(changes).toMatchObject([{ id: 'service/wms', effect: 'hard', details: ['dpi: "90" → nothing'] }])
})

test('items come and go', async () => {
  const contents = release()
  contents.delete('workspaces/w1/styles/icon.svg')
  contents.set('workspaces/w1/styles/flag.svg', '<svg/>')
  expect(await geoserverKind().compare(treeOf(release()), treeOf(contents))).toEqual([
    { id: 'file/workspaces/w1/styles/icon.svg', effect: 'removed', path: 'workspaces/w1/styles/icon.svg', details: [] },
    { id: 'file/workspaces/w1/styles/flag.svg', effect: 'added', path: 'workspaces/w1/styles/flag.svg', details: [] },
  ])
})

test('a change of security needs a reload', async () => {
  const path = 'security/config.xml'
  const with_ = (role: string) =>
    treeOf(release().set(path, `<security><roleServiceName>${role}</roleServiceName></security>`))
  const changes = await geoserverKind().compare(with_('a'), with_('b'))
  expect(changes).toEqual([{ id: `file/${path}`, effect: 'hard', path, details: ['content'] }])
})
