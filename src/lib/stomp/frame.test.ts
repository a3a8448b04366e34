import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeFrame, type Frame, FrameReader } from './frame.ts'

/** What a reader makes of the bytes when they come in pieces of these sizes. */
function read(bytes: Buffer, sizes: readonly number[] = [bytes.byteLength], bodyMax = 1000): readonly Frame[] {
  const frames: Frame[] = []
  const reader = new FrameReader(bodyMax, (frame) => frames.push(frame))
  let at = 0
  for (let turn = 0; at < bytes.byteLength; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    reader.push(bytes.subarray(at, at + size))
    at += size
  }
  return frames
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 })
const text = fc.string({ unit: 'binary', maxLength: 30 })
const body = text.map((each) => each.replaceAll('\0', ''))
const name = text.filter((each) => each !== '' && each !== 'content-length' && !each.includes('\0'))

test('what is encoded is read again, in whatever pieces it comes', () => {
  const frames = fc.array(fc.record({ headers: fc.dictionary(name, body), body }), { maxLength: 5 })
  fc.assert(
    fc.property(frames, sizes, (sent, pieces) => {
      const bytes = sent.flatMap((each) => [encodeFrame('MESSAGE', each.headers, each.body), Buffer.from('\n\r\n')])
      const found = read(Buffer.concat(bytes), pieces).map((frame) => [
        Object.fromEntries(frame.headers),
        frame.body?.toString(),
      ])
      expect(found).toEqual(sent.map((each) => [{ ...each.headers }, each.body]))
    }),
  )
})

test('a body with a length may hold anything, and ends where it says', () => {
  const bytes = Buffer.from('MESSAGE\r\ncontent-length:5\r\na:1\r\na:2\r\n\r\n\0\0\n\0x\0RECEIPT\nreceipt-id:r\n\n\0')
  fc.assert(
    fc.property(sizes, (pieces) => {
      const [message, receipt] = read(bytes, pieces)
      expect(message?.body).toEqual(Buffer.from('\0\0\n\0x'))
      expect(message?.headers.get('a')).toBe('1')
      expect(receipt).toMatchObject({ command: 'RECEIPT', size: 0 })
    }),
  )
})

test.for(['content-length:5000\n', ''])(
  'a body over the limit is read past, and what follows is read (%j)',
  (length) => {
    const bytes = Buffer.concat([
      Buffer.from(`MESSAGE\n${length}\n`),
      Buffer.alloc(5000, 'x'),
      Buffer.from('\0RECEIPT\n\n\0'),
    ])
    const [huge, next] = read(bytes, [700])
    expect(huge).toMatchObject({ command: 'MESSAGE', body: undefined, size: 5000 })
    expect(next?.command).toBe('RECEIPT')
  },
)

test('gigabytes of one body take no memory', () => {
  const reader = new FrameReader(1000, () => undefined)
  reader.push(Buffer.from('MESSAGE\ncontent-length:4294967296\n\n'))
  const chunk = Buffer.alloc(1024 * 1024, 'x')
  const before = process.memoryUsage.rss()
  for (let turn = 0; turn < 4096; turn++) reader.push(chunk)
  expect(process.memoryUsage.rss() - before).toBeLessThan(50 * 1024 * 1024)
})

test.for([
  ['something else', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['headers without end', `MESSAGE\n${'a:b\n'.repeat(500_000)}`],
  ['too many headers', `MESSAGE\n${'a:b\n'.repeat(3000)}\n\0`],
  ['a header without a name', 'MESSAGE\n:x\n\n\0'],
  ['a header without a colon', 'MESSAGE\nx\n\n\0'],
  ['an escape that does not exist', 'MESSAGE\na:\\t\n\n\0'],
  ['a length that is none', 'MESSAGE\ncontent-length:-1\n\n\0'],
  ['a body that is longer than its length', 'MESSAGE\ncontent-length:1\n\nxx\0'],
] as const)('%s is no STOMP', ([, bytes]) => {
  expect(() => read(Buffer.from(bytes))).toThrow(/^the broker sent /)
})

test('a login cannot smuggle in a header, nor a body a frame', () => {
  expect(() => encodeFrame('CONNECT', { login: 'x\naccept-version:1.0' })).toThrow(/line break/)
  expect(() => encodeFrame('SEND', {}, 'x\0SEND')).toThrow(/NUL/)
  expect(encodeFrame('SEND', { a: 'x\nb:c\\' }).toString()).toBe('SEND\na:x\\nb\\cc\\\\\n\n\0')
})
