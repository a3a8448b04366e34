import fc from 'fast-check'
import { SaxesParser } from 'saxes'
import { describe, expect, it } from 'vitest'
import { readCompleteMultipartUpload, readCreateBucketConfiguration, readDelete, XML_BYTES_MAX } from './xml-read.ts'
import { escapeXml, listedKey, xmlDocument } from './xml-write.ts'

const NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

function textIn(xml: string): string {
  const parser = new SaxesParser({})
  let text = ''
  parser.on('error', (error) => {
    throw error
  })
  parser.on('text', (part) => void (text += part))
  parser.write(xml).close()
  return text
}

const malformed = expect.objectContaining({ code: 'MalformedXML' })

describe('documents of S3', () => {
  it('hold elements in the order given, lists as repeated elements, and leave out what is undefined', () => {
    expect(
      xmlDocument('A', { Name: 'x', Gone: undefined, Sub: [{ Key: 'a<b' }, { Key: 1 }], Yes: true, None: [] }),
    ).toBe(
      `<?xml version="1.0" encoding="UTF-8"?>\n<A ${NAMESPACE}><Name>x</Name><Sub><Key>a&lt;b</Key></Sub>` +
        '<Sub><Key>1</Key></Sub><Yes>true</Yes></A>',
    )
    expect(xmlDocument('Error', { Code: 'NoSuchKey' })).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>',
    )
  })

  it('carry any text that XML can carry', () => {
    const text = fc
      .string({ unit: 'grapheme' })
      .filter((one) => !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(one))
    fc.assert(fc.property(text, (one) => textIn(`<a>${escapeXml(one)}</a>`) === one))
    expect(textIn(`<a>${escapeXml(' a\r\n\tb\u2028 ')}</a>`)).toBe(' a\r\n\tb\u2028 ')
  })

  it('name what XML cannot carry by its number, or encoded where the client asked for that', () => {
    expect(escapeXml('a\u0001b')).toBe('a&#x1;b')
    expect(listedKey('ü a+b/c\u0001&', true)).toBe('%C3%BC%20a%2Bb/c%01%26')
    expect(listedKey('ü a', false)).toBe('ü a')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (key) => {
        const listed = listedKey(key, true)
        expect(decodeURIComponent(listed.replaceAll('+', ' '))).toBe(key)
        expect(escapeXml(listed)).toBe(listed)
      }),
    )
  })
})

describe('a list of parts', () => {
  const body = (parts: string): Buffer =>
    Buffer.from(`<CompleteMultipartUpload ${NAMESPACE}>${parts}</CompleteMultipartUpload>`)

  it('is read with quoted and bare ETags and with checksums', () => {
    const parts = `<Part><ETag>"ab"</ETag><PartNumber>1</PartNumber></Part>
      <Part><PartNumber>3</PartNumber><ETag>&#34;cd&quot;</ETag><ChecksumCRC32>2JMqrA==</ChecksumCRC32></Part>`
    expect(readCompleteMultipartUpload(body(parts))).toEqual([
      { partNumber: 1, etag: 'ab' },
      { partNumber: 3, etag: 'cd', checksum: { algorithm: 'CRC32', value: '2JMqrA==' } },
    ])
  })

  it('may have ten thousand parts with long checksums, not one more', () => {
    const part = (number: number): string =>
      `<Part><ETag>"${'a'.repeat(32)}"</ETag><ChecksumSHA256>${'b'.repeat(44)}</ChecksumSHA256><PartNumber>${number}</PartNumber></Part>`
    const all = Array.from({ length: 10_000 }, (_, index) => part(index + 1)).join('')
    expect(readCompleteMultipartUpload(body(all))).toHaveLength(10_000)
    expect(() => readCompleteMultipartUpload(body(all + part(10_001)))).toThrow(malformed)
  })

  it('is refused out of order, without parts, or with numbers that are none', () => {
    const part = (number: string): string => `<Part><ETag>a</ETag><PartNumber>${number}</PartNumber></Part>`
    expect(() => readCompleteMultipartUpload(body(part('2') + part('1')))).toThrow(
      expect.objectContaining({ code: 'InvalidPartOrder' }),
    )
    for (const parts of [
      '',
      part('0'),
      part('-1'),
      part('1e3'),
      part('10001'),
      part(''),
      '<Part><PartNumber>1</PartNumber></Part>',
    ]) {
      expect(() => readCompleteMultipartUpload(body(parts))).toThrow(malformed)
    }
  })
})

describe('a request to delete', () => {
  const body = (inner: string): Buffer => Buffer.from(`<?xml version="1.0"?><Delete>${inner}</Delete>`)

  it('is read with any key, whether it is quiet, and conditions', () => {
    const xml =
      '<Object><Key> a&amp;ü\u2028&#13; </Key></Object><Quiet>true</Quiet><Object><Key>b</Key><VersionId>null</VersionId><ETag>"e"</ETag></Object>'
    expect(readDelete(body(xml))).toEqual({
      isQuiet: true,
      objects: [
        { key: ' a&ü\u2028\r ', versionId: undefined, etag: undefined },
        { key: 'b', versionId: 'null', etag: 'e' },
      ],
    })
  })

  it('takes a thousand of the longest keys, not one more', () => {
    const objects = `<Object><Key>${'&amp;'.repeat(700)}</Key></Object>`.repeat(1000)
    expect(readDelete(body(objects)).objects).toHaveLength(1000)
    expect(() => readDelete(body(`${objects}<Object><Key>a</Key></Object>`))).toThrow(malformed)
  })

  it('is refused where it is no such document, has entities, is too deep, too large or no UTF-8', () => {
    for (const xml of [
      '',
      'x',
      '<Delete>',
      '<Delete></Delete>',
      '<Other><Object><Key>a</Key></Object></Other>',
      '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&x;</Key></Object></Delete>',
      '<!DOCTYPE Delete><Delete><Object><Key>a</Key></Object></Delete>',
      '<Delete><Object><Key>&x;</Key></Object></Delete>',
      `<Delete>${'<a>'.repeat(100)}${'</a>'.repeat(100)}</Delete>`,
      `<Delete>${'<a/>'.repeat(100)}</Delete>`,
      '<Delete><Object><Key></Key></Object></Delete>',
      '<Delete><Object><Key>a</Key></Object></Delete><b/>',
    ]) {
      expect(() => readDelete(Buffer.from(xml))).toThrow(malformed)
    }
    expect(() => readDelete(Buffer.from([0x3c, 0xff]))).toThrow(malformed)
    expect(() => readDelete(Buffer.alloc(XML_BYTES_MAX + 1))).toThrow(
      expect.objectContaining({ code: 'MaxMessageLengthExceeded' }),
    )
  })
})

describe('the configuration of a new bucket', () => {
  it('names a region or none', () => {
    const xml = `<CreateBucketConfiguration ${NAMESPACE}><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>`
    expect(readCreateBucketConfiguration(Buffer.from(xml))).toBe('eu-west-1')
    expect(readCreateBucketConfiguration(Buffer.from('<CreateBucketConfiguration/>'))).toBeUndefined()
    expect(readCreateBucketConfiguration(Buffer.alloc(0))).toBeUndefined()
  })
})
