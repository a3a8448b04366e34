import { once } from 'node:events'
import { createServer } from 'node:http2'
import { connect, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { headerBlock, readHeaders } from './hpack.ts'
import { FLAG, FRAME, frame, Frames, SETTING, settingsOf } from './http2-frames.ts'

const EVERY_CHARACTER = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 0x20 + index)).trim()
const ABOVE_ASCII = String.fromCharCode(...Array.from({ length: 128 }, (_, index) => 0x80 + index))

/** What Node's own HTTP/2 makes of headers, both ways: of those that are sent, and of those it answers with. */
async function through(sent: Readonly<Record<string, string>>, answered: Readonly<Record<string, string>>) {
  const server = createServer()
  const seen = new Promise<Readonly<Record<string, unknown>>>((resolve) => {
    server.on('stream', (stream, headers) => {
      resolve(headers)
      stream.respond({ ':status': 200, ...answered }, { endStream: true })
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const block = headerBlock({ ':method': 'POST', ':scheme': 'http', ':path': '/', ':authority': 'a', ...sent })
  const settings = frame(FRAME.settings, 0, 0, settingsOf([[SETTING.headerTable, 0]]))
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), settings]))
  socket.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, block))
  const frames = new Frames()
  const answer = await new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
    socket.once('error', reject)
    socket.on('data', (chunk: Buffer) => {
      const headers = frames.take(chunk).find(({ type }) => type === FRAME.headers)
      if (headers !== undefined) resolve(readHeaders(headers.payload))
    })
  })
  socket.destroy()
  server.close()
  return { seen: await seen, answer }
}

test('headers are read as the other side wrote them, coded or not, whatever is in them', async () => {
  const coded = EVERY_CHARACTER.toLowerCase().repeat(3)
  const answered = { 'grpc-status': '14', 'grpc-message': 'etcdserver: no leader', coded, every: EVERY_CHARACTER }
  const { answer } = await through({}, { ...answered, above: ABOVE_ASCII })
  expect(Object.fromEntries(answer)).toMatchObject({ ':status': '200', ...answered, above: ABOVE_ASCII })
})

test('headers are written so that the other side reads them, also long ones', async () => {
  const sent = { hasleader: 'true', token: 'x'.repeat(126), longer: 'y'.repeat(127), longest: 'z'.repeat(5000) }
  const { seen } = await through(sent, {})
  expect(seen).toMatchObject(sent)
})

test('what is malformed is refused or read as something, and never read for ever', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        for (const [name, value] of readHeaders(Buffer.from(bytes)))
          expect([typeof name, typeof value]).toEqual(['string', 'string'])
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }),
    { numRuns: 2000 },
  )
})

test('a reference to a table that was never kept is refused', () => {
  expect(() => readHeaders(Buffer.from([0x80 + 62]))).toThrow(RangeError)
})
