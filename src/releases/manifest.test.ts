import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryBlobs } from '../../test/helpers/memory-blobs.ts'
import type { Manifest } from '../core/tree.ts'
import { sha256 } from '../lib/hash.ts'
import { systemClock } from '../lib/system-clock.ts'
import { encodeManifest, manifestTree, parseManifest } from './manifest.ts'

const HASH = sha256('x')
const GOOD: Manifest = {
  format: 1,
  kind: 'erddap',
  files: [
    { path: 'a.xml', size: 1, sha256: HASH },
    { path: 'sub/ü.xml', size: 0, sha256: HASH },
  ],
  active: { b: false, a: true },
  removed: { z: { type: 'EDDTable', release: 3 }, y: { type: 'EDDGrid', release: 2 } },
}
const TEXT = Buffer.from(encodeManifest(GOOD)).toString()

test('a manifest is read back as it was written, in one canonical form', () => {
  expect(parseManifest(encodeManifest(GOOD))).toEqual(GOOD)
  expect(TEXT).toBe(
    `{"active":{"a":true,"b":false},"files":[{"path":"a.xml","sha256":"${HASH}","size":1},` +
      `{"path":"sub/ü.xml","sha256":"${HASH}","size":0}],"format":1,"kind":"erddap",` +
      `"removed":{"y":{"release":2,"type":"EDDGrid"},"z":{"release":3,"type":"EDDTable"}}}`,
  )
})

test.for([
  ['a path that leads out', ['"a.xml"', '"../a.xml"']],
  ['an absolute path', ['"a.xml"', '"/etc/passwd"']],
  ['a path with a control character', ['"a.xml"', '"a\\nb.xml"']],
  ['a path with a backslash', ['"a.xml"', '"a\\\\b.xml"']],
  ['a drive letter', ['"a.xml"', '"C:a.xml"']],
  ['a path twice', ['"sub/ü.xml"', '"a.xml"']],
  ['files out of order', ['"a.xml"', '"z.xml"']],
  ['a file that is a folder too', ['"a.xml"', '"sub"']],
  ['a hash that is a path', [HASH, '../../../../etc/passwd']],
  ['a hash in upper case', [HASH, HASH.toUpperCase()]],
  ['a negative size', ['"size":1', '"size":-1']],
  ['a fraction as size', ['"size":1', '"size":1.5']],
  ['an endless size', ['"size":1', '"size":1e400']],
  ['a size beyond the limit', ['"size":1', '"size":1000000000000']],
  ['a size as text', ['"size":1', '"size":"1"']],
  ['another format', ['"format":1', '"format":2']],
  ['a kind that is a path', ['"erddap"', '"../erddap"']],
  ['a key of the prototype', ['"b":false', '"__proto__":false']],
  ['an id with a control character', ['"b":false', '"b\\u0000":false']],
  ['a switch that is neither', ['"b":false', '"b":"no"']],
  ['a tombstone of no release', ['"release":2', '"release":0']],
  ['a tombstone that is a list', ['{"release":2,"type":"EDDGrid"}', '[]']],
  ['a key more', ['"format":1', '"extra":0,"format":1']],
  ['a key twice', ['"format":1', '"format":1,"format":1']],
  ['a space', ['"format":1', '"format": 1']],
  ['a number in another form', ['"size":1', '"size":1.0']],
  ['no files', ['"files"', '"fyles"']],
] as const)('a manifest with %s is refused', ([, [from, to]]) => {
  expect(TEXT).toContain(from)
  expect(() => parseManifest(Buffer.from(TEXT.replace(from, to)))).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  expect(Object.hasOwn(Object.prototype, 'b')).toBe(false)
})

test.for(['', 'null', '[]', '1', '"text"', '{', '['.repeat(100_000), '\ufeff{}', '{}', TEXT.slice(0, -1)])(
  'what is no manifest at all is refused: %.20s',
  (text) => {
    expect(() => parseManifest(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  },
)

test('a list of files without end is refused before it is read', () => {
  const bytes = Buffer.alloc(64 * 1024 * 1024 + 1, ' ')
  expect(() => parseManifest(bytes)).toThrow('it is too large')
})

test('whatever bytes arrive, they are a manifest in canonical form or refused as CORRUPT', () => {
  const mutations = fc.tuple(fc.nat(TEXT.length - 1), fc.string({ maxLength: 3, unit: 'binary' }), fc.nat(3))
  fc.assert(
    fc.property(mutations, ([at, insert, drop]) => {
      const bytes = Buffer.from(TEXT.slice(0, at) + insert + TEXT.slice(at + drop))
      try {
        expect(Buffer.compare(encodeManifest(parseManifest(bytes)), bytes)).toBe(0)
      } catch (error) {
        expect(error).toMatchObject({ code: 'CORRUPT' })
      }
    }),
    { numRuns: 1000 },
  )
})

test('the tree of a manifest reads verified blobs by path', async () => {
  const blobs = new MemoryBlobs(systemClock)
  const tree = manifestTree(GOOD, blobs)
  await expect(tree.read('a.xml')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await blobs.put(HASH, Buffer.from('x'), { limitBytes: 1 })
  expect(String(await tree.read('a.xml'))).toBe('x')
  await expect(tree.read('../a.xml')).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
