import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Secret } from '../secret.ts'
import { AwsChunkedBody, type AwsChunkedOptions } from './aws-chunked.ts'
import { EMPTY_SHA256, SigningKeys } from './canonical.ts'
import type { ChunkSeed } from './signed-request.ts'

const RUNS = process.env['FLOTILLA_SOAK'] === '1' ? 20_000 : 400
const KEY = new SigningKeys().of(new Secret('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'), '20130524', 'us-east-1')
const seedOf = (signature: string): ChunkSeed => ({
  key: KEY,
  dateTime: '20130524T000000Z',
  scope: '20130524/us-east-1/s3/aws4_request',
  signature,
})
const SEED = seedOf('0'.repeat(64))

async function* arrive(body: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void> {
  let at = 0
  for (let turn = 0; at < body.byteLength; turn++) {
    const size = sizes.length === 0 ? body.byteLength : (sizes[turn % sizes.length] ?? 1)
    yield body.subarray(at, at + size)
    at += size
  }
}

async function decode(body: Uint8Array | string, options: AwsChunkedOptions, sizes: readonly number[] = []) {
  const chunked = new AwsChunkedBody(arrive(Buffer.from(body), sizes), options)
  const parts: Uint8Array[] = []
  for await (const part of chunked) parts.push(part)
  return { bytes: Buffer.concat(parts), trailers: Object.fromEntries(chunked.trailers) }
}

type Form = 'signed' | 'signed-trailer' | 'unsigned-trailer'

/** The body as a client sends it. */
function encode(form: Form, chunks: readonly Uint8Array[], trailers: Readonly<Record<string, string>> = {}): Buffer {
  let previous = SEED.signature
  const sign = (kind: string, what: string): string => {
    const text = `AWS4-HMAC-SHA256-${kind}\n${SEED.dateTime}\n${SEED.scope}\n${previous}\n${what}`
    previous = createHmac('sha256', KEY).update(text).digest('hex')
    return previous
  }
  const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
  const parts: (Uint8Array | string)[] = []
  for (const chunk of [...chunks.filter(({ byteLength }) => byteLength > 0), Buffer.alloc(0)]) {
    const signature = `;chunk-signature=${sign('PAYLOAD', `${EMPTY_SHA256}\n${sha256(chunk)}`)}`
    parts.push(`${chunk.byteLength.toString(16)}${form === 'unsigned-trailer' ? '' : signature}\r\n`, chunk)
    if (chunk.byteLength > 0) parts.push('\r\n')
  }
  if (form !== 'signed') parts.push(...Object.entries(trailers).map(([name, value]) => `${name}:${value}\r\n`))
  if (form === 'signed-trailer') {
    const text = Object.entries(trailers)
      .map(([name, value]) => `${name}:${value}\n`)
      .join('')
    parts.push(`x-amz-trailer-signature:${sign('TRAILER', sha256(text))}\r\n`)
  }
  return Buffer.concat([...parts, '\r\n'].map((part) => Buffer.from(part)))
}

const optionsOf = (form: Form, decodedLength: number, announced: readonly string[] = []): AwsChunkedOptions => ({
  decodedLength,
  hasTrailer: form !== 'signed',
  announced: form === 'signed' ? [] : announced,
  ...(form !== 'unsigned-trailer' && { seed: SEED }),
})

const CRC = { 'x-amz-checksum-crc32': '2JMqrA==' }
const form = fc.constantFrom<Form>('signed', 'signed-trailer', 'unsigned-trailer')
const chunks = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 })
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 5 })
const code = (code: string): unknown => expect.objectContaining({ code })

describe('a body in chunks', () => {
  it('is what was sent, however it was cut on both sides', async () => {
    await fc.assert(
      fc.asyncProperty(form, chunks, sizes, async (form, chunks, sizes) => {
        const whole = Buffer.concat(chunks)
        const answer = await decode(
          encode(form, chunks, CRC),
          optionsOf(form, whole.byteLength, Object.keys(CRC)),
          sizes,
        )
        expect(answer.bytes).toEqual(whole)
        expect(answer.trailers).toEqual(form === 'signed' ? {} : CRC)
      }),
      { numRuns: RUNS },
    )
  })

  it('is refused once any byte of a signed one is another, is missing or is added', async () => {
    const change = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.constantFrom('flip', 'cut', 'add', 'end'))
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Form>('signed', 'signed-trailer'),
        chunks,
        sizes,
        change,
        async (form, chunks, sizes, [place, by, how]) => {
          const body = encode(form, chunks, CRC)
          const at = place % (body.byteLength - 2)
          const changed = {
            flip: () =>
              Buffer.concat([body.subarray(0, at), Buffer.from([(body[at] ?? 0) ^ by]), body.subarray(at + 1)]),
            cut: () => Buffer.concat([body.subarray(0, at), body.subarray(at + 1)]),
            add: () => Buffer.concat([body.subarray(0, at), Buffer.from([by]), body.subarray(at)]),
            end: () => body.subarray(0, at),
          }[how]()
          const options = optionsOf(form, Buffer.concat(chunks).byteLength, Object.keys(CRC))
          const outcome = await decode(changed, options, sizes).catch((error: unknown) => error)
          // What does not matter for what is said: the case of digits and names, and spaces around a value.
          if (outcome instanceof Error) expect(outcome).toHaveProperty('code')
          else expect(outcome).toEqual({ bytes: Buffer.concat(chunks), trailers: form === 'signed' ? {} : CRC })
        },
      ),
      { numRuns: RUNS },
    )
  })

  it('never takes anything for a body, nor fails in a way that is not meant', async () => {
    const text = fc.array(
      fc.constantFrom('0', '5', 'a', '\r', '\n', '\r\n', ':', 'x', ';chunk-signature=', ' ', 'hello', '\0'),
      { maxLength: 20 },
    )
    await fc.assert(
      fc.asyncProperty(form, text, sizes, async (form, parts, sizes) => {
        const outcome = await decode(parts.join(''), optionsOf(form, 5, []), sizes).catch((error: unknown) => error)
        if (outcome instanceof Error) expect(outcome).toHaveProperty('code')
        else expect((outcome as { bytes: Buffer }).bytes.byteLength).toBe(5)
      }),
      { numRuns: RUNS },
    )
  })

  it('is verified as in the example of Amazon', async () => {
    const signatures = [
      'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648',
      '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497',
      'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9',
    ]
    const body = [65_536, 1024, 0]
      .map((size, index) => `${size.toString(16)};chunk-signature=${signatures[index]}\r\n${'a'.repeat(size)}\r\n`)
      .join('')
    const seed = seedOf('4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9')
    const { bytes } = await decode(body, { seed, decodedLength: 66_560, hasTrailer: false, announced: [] })
    expect(bytes.toString()).toBe('a'.repeat(66_560))
  })

  it('is verified with its trailer as in the example of Amazon, also with its line ends', async () => {
    const signatures = [
      'b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2',
      '1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7',
      '2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992',
    ]
    const data = [65_536, 1024, 0]
      .map(
        (size, index) =>
          `${size.toString(16)};chunk-signature=${signatures[index]}\r\n${'a'.repeat(size)}${size === 0 ? '' : '\r\n'}`,
      )
      .join('')
    const signature = 'x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435'
    const seed = seedOf('106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e')
    const options = { seed, decodedLength: 66_560, hasTrailer: true, announced: ['x-amz-checksum-crc32c'] }
    for (const [lineEnd, end] of [
      ['\n\r\n', '\r\n\r\n'],
      ['\r\n', '\r\n\r\n'],
      ['\r\n', '\r\n'],
    ]) {
      const { trailers } = await decode(`${data}x-amz-checksum-crc32c:sOO8/Q==${lineEnd}${signature}${end}`, options)
      expect(trailers).toEqual({ 'x-amz-checksum-crc32c': 'sOO8/Q==' })
    }
    await expect(decode(`${data}x-amz-checksum-crc32c:sOO8/R==\r\n${signature}\r\n\r\n`, options)).rejects.toEqual(
      code('SignatureDoesNotMatch'),
    )
    await expect(decode(`${data}x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n`, options)).rejects.toEqual(
      code('IncompleteBody'),
    )
  })

  it('is refused where it is longer or shorter than announced', async () => {
    for (const length of [4, 6]) {
      await expect(decode('5\r\nhello\r\n0\r\n\r\n', optionsOf('unsigned-trailer', length))).rejects.toEqual(
        code('IncompleteBody'),
      )
    }
    await expect(decode('5\r\nhello\r\n0\r\n', optionsOf('unsigned-trailer', 5))).rejects.toEqual(
      code('IncompleteBody'),
    )
    await expect(decode('5\r\nhello\r\n0\r\n\r\nmore', optionsOf('unsigned-trailer', 5))).rejects.toEqual(
      code('IncompleteBody'),
    )
  })

  it('is refused with heads of chunks that are none, or are endless', async () => {
    for (const size of ['', '-5', '0x5', '5 ', '5;a=b', 'ffffffffffffffff', 'g', '5\n']) {
      await expect(decode(`${size}\r\nhello\r\n0\r\n\r\n`, optionsOf('unsigned-trailer', 5))).rejects.toEqual(
        size === 'ffffffffffffffff' ? code('InvalidChunkSizeError') : expect.objectContaining({ name: 'S3Error' }),
      )
    }
    await expect(decode('5'.repeat(100_000), optionsOf('unsigned-trailer', 5), [100])).rejects.toEqual(
      code('InvalidChunkSizeError'),
    )
    await expect(decode('5\r\nhello\r\n0\r\n\r\n', optionsOf('signed', 5))).rejects.toEqual(
      code('InvalidChunkSizeError'),
    )
  })

  it('is refused with trailers that were not announced, are missing, come twice or are no trailers', async () => {
    const trailers = (text: string, announced: readonly string[]) =>
      expect(decode(`5\r\nhello\r\n0\r\n${text}\r\n`, optionsOf('unsigned-trailer', 5, announced))).rejects
    await trailers('a:b\r\n', []).toEqual(code('MalformedTrailerError'))
    await trailers('', ['a']).toEqual(code('MalformedTrailerError'))
    await trailers('a:b\r\na:b\r\n', ['a']).toEqual(code('MalformedTrailerError'))
    await trailers('a\r\n', ['a']).toEqual(code('MalformedTrailerError'))
    await trailers(`a:${'b'.repeat(3000)}\r\n`, ['a']).toEqual(code('MalformedTrailerError'))
  })
})
