import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { escapeXml } from '../../lib/s3/xml-write.ts'
import { ListingScanner, type RawObject } from './listing-scanner.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

interface Seen {
  readonly objects: RawObject[]
  readonly prefixes: string[]
  readonly fields: Record<string, string>
}

function scan(xml: string | Uint8Array, sizes: readonly number[] = []): Seen {
  const seen: Seen = { objects: [], prefixes: [], fields: {} }
  const scanner = new ListingScanner({
    object: (object) => void seen.objects.push(object),
    commonPrefix: (prefix) => void seen.prefixes.push(prefix),
    field: (name, text) => {
      seen.fields[name] = text
    },
  })
  const bytes = Buffer.from(xml)
  for (let at = 0, turn = 0; at < bytes.byteLength; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.byteLength
    scanner.push(bytes.subarray(at, at + size))
    at += size
  }
  scanner.end()
  return seen
}

const list = (inner: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</ListBucketResult>`
const object = ({ key, size, modifiedMs, etag }: RawObject): string =>
  `<Contents><Key>${escapeXml(key)}</Key><LastModified>${new Date(modifiedMs).toISOString()}</LastModified>` +
  `<ETag>&quot;${etag}&quot;</ETag><Size>${size}</Size><StorageClass>STANDARD</StorageClass></Contents>`

const text = fc
  .array(
    fc.constantFrom(
      'a',
      'ü',
      '&',
      '<',
      '>',
      '"',
      '\r',
      '\n',
      ' ',
      '\u0001',
      '\u{1F300}',
      '\uffff',
      ']]>',
      '%',
      '&amp;',
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''))
const one = { key: 'a', size: 1, modifiedMs: 0, etag: 'e' }
const refused = expect.objectContaining({ code: 'BAD_LISTING' })

describe('a listing', () => {
  it('is read however its bytes are cut', () => {
    const raw = fc.record({
      key: text.filter((key) => key !== ''),
      size: fc.maxSafeNat(),
      modifiedMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      etag: fc.stringMatching(/^[0-9a-f-]{1,34}$/),
    })
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 4 })
    fc.assert(
      fc.property(
        fc.array(raw, { maxLength: 5 }),
        fc.array(text, { maxLength: 3 }),
        sizes,
        (objects, prefixes, sizes) => {
          const folders = prefixes.map(
            (prefix) => `<CommonPrefixes><Prefix>${escapeXml(prefix)}</Prefix></CommonPrefixes>`,
          )
          const xml = list(
            `<Name>b</Name>${objects.map(object).join('')}${folders.join('')}<IsTruncated>true</IsTruncated>`,
          )
          expect(scan(xml, sizes)).toEqual({ objects, prefixes, fields: { Name: 'b', IsTruncated: 'true' } })
        },
      ),
    )
  })

  it('is read in the forms that services give it', () => {
    const xml = `<?xml version="1.0"?><!-- one > two --><s3:ListBucketResult xmlns:s3="x">
      <s3:Prefix/><s3:KeyCount >2</s3:KeyCount>
      <s3:Contents>
        <s3:Owner><s3:ID>not a key</s3:ID><s3:Key>nor this</s3:Key></s3:Owner>
        <s3:Size>5</s3:Size><s3:ETag>"abc"</s3:ETag><s3:LastModified>2026-11-21T12:00:00Z</s3:LastModified>
        <s3:Key><![CDATA[a<b>]]>&#x41;&#66;&apos;</s3:Key></s3:Contents>
      <s3:Contents><s3:Key>c</s3:Key><s3:LastModified>2026-11-21T13:00:00.5+01:00</s3:LastModified><s3:Size>0</s3:Size></s3:Contents>
      </s3:ListBucketResult>\n`
    const noon = Date.UTC(2026, 10, 21, 12)
    expect(scan(xml)).toEqual({
      objects: [
        { key: "a<b>AB'", size: 5, modifiedMs: noon, etag: 'abc' },
        { key: 'c', size: 0, modifiedMs: noon + 500, etag: '' },
      ],
      prefixes: [],
      fields: { Prefix: '', KeyCount: '2' },
    })
    expect(scan(list(object(one).replaceAll('&quot;', '&#34;'))).objects[0]?.etag).toBe('e')
    expect(scan(list(object(one).replaceAll('&quot;', ''))).objects[0]?.etag).toBe('e')
  })

  it('is refused once it is cut short, anywhere', () => {
    const xml = list(object(one) + object({ ...one, key: 'b' }))
    for (let end = 0; end < xml.length; end++) expect(() => scan(xml.slice(0, end))).toThrow(refused)
  })

  it.each([
    ['no listing', '<html></html>'],
    ['an error', '<Error><Code>x</Code></Error>'],
    ['no XML', 'hello'],
    ['a document type', `<!DOCTYPE a [<!ENTITY x "y">]>${list('')}`],
    ['an unknown entity', list(object(one).replace('<Key>a', '<Key>&x;'))],
    ['half a pair of surrogates', list(object(one).replace('<Key>a', '<Key>&#xD800;'))],
    ['tags that do not match', list('<Contents></Content>')],
    ['two roots', list('') + list('')],
    ['something behind it', `${list('')}x`],
    ['deep elements', list('<a>'.repeat(50))],
    ['a negative size', list(object({ ...one, size: -1 }))],
    ['a size that is no number', list(object({ ...one, size: Number.NaN }))],
    ['a size that is none', list(object(one).replace('<Size>1', '<Size>'))],
    ['a size beyond numbers', list(object(one).replace('<Size>1', '<Size>9007199254740993'))],
    ['a size with an exponent', list(object(one).replace('<Size>1', '<Size>1e3'))],
    ['no size', list(object(one).replace('<Size>1</Size>', ''))],
    ['no key', list(object(one).replace('<Key>a</Key>', ''))],
    ['no time', list(object(one).replace(/<LastModified>.*<\/LastModified>/, ''))],
    ['a time that is none', list(object(one).replace('1970-01-01', 'yesterday!'))],
    ['an endless element', list(`<Contents><Key>${'a'.repeat(100_000)}</Key></Contents>`)],
    ['an endless tag', list(`<${'a'.repeat(100_000)}>`)],
  ])('is refused with %s', (_, xml) => {
    expect(() => scan(xml, [1000])).toThrow(refused)
  })

  it('holds no more of what it has read than one element', () => {
    const scanner = new ListingScanner({
      object: () => undefined,
      commonPrefix: () => undefined,
      field: () => undefined,
    })
    scanner.push(Buffer.from('<ListBucketResult>'))
    const page = Buffer.from(object(one).repeat(1000))
    const before = process.memoryUsage().arrayBuffers
    for (let count = 0; count < 300; count++) scanner.push(page)
    collectGarbage()
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000)
  })
})
