import { expect, test } from 'vitest'
import { FrameReader } from './frame-reader.ts'

const CHUNK = 64 * 1024

/** Chunks of memory of their own, as they come from a connection. */
function cutUp(body: Buffer): readonly Buffer[] {
  return Array.from({ length: Math.ceil(body.byteLength / CHUNK) }, (_, at) => {
    const part = body.subarray(at * CHUNK, (at + 1) * CHUNK)
    const chunk = Buffer.allocUnsafeSlow(part.byteLength)
    chunk.set(part)
    return chunk
  })
}

async function* given(chunks: readonly Buffer[]): AsyncGenerator<Uint8Array, void> {
  yield* chunks
}

test('what was taken from a chunk stays as it is, whatever is taken after it; chunks that were copied are given back', async () => {
  const body = Buffer.from(Array.from({ length: 5 * CHUNK }, (_, at) => (at * 7 + (at >> 8)) % 251))
  const chunks = cutUp(body)
  const frames = new FrameReader(given(chunks))
  const sizes = [100, 10_000, 3 * CHUNK, 200, CHUNK - 20_000]
  const taken: Buffer[] = []
  for (const size of sizes) taken.push(await frames.bytes(size))
  let at = 0
  for (const [index, size] of sizes.entries()) {
    expect(taken[index]?.equals(body.subarray(at, at + size)), `${size} bytes`).toBe(true)
    at += size
  }
  // Of the first and the fourth something was taken as it lies there.
  expect(chunks.map(({ byteLength }) => byteLength > 0)).toEqual([true, false, false, true, true])
})
