import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatEvent, HEARTBEAT, parseEvents, type ServerSentEvent } from './sse.ts'

async function* chunksOf(text: string, sizes: readonly number[]): AsyncGenerator<Uint8Array, void> {
  const bytes = Buffer.from(text)
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function parsed(
  text: string,
  sizes: readonly number[] = [7],
  limit = 10_000,
): Promise<readonly ServerSentEvent[]> {
  const events: ServerSentEvent[] = []
  for await (const event of parseEvents(chunksOf(text, sizes), limit)) events.push(event)
  return events
}

describe('server-sent events', () => {
  it('come out as they went in, however the bytes are cut', async () => {
    const event = fc.record({
      event: fc.stringMatching(/^[a-z]{1,8}$/),
      data: fc.json(),
      id: fc.option(fc.nat().map(String), { nil: undefined }),
    })
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 5 }), sizes, fc.boolean(), async (events, cuts, windows) => {
        const text = HEARTBEAT + events.map((one) => formatEvent(one) + HEARTBEAT).join('')
        const sent = windows ? text.replaceAll('\n', '\r\n') : text
        expect(await parsed(sent, cuts)).toEqual(events.map((one) => ({ ...one, id: one.id })))
      }),
    )
  })

  it('that break off in the middle are dropped', async () => {
    expect(await parsed('event: a\ndata: 1\n\nevent: b\ndata: 2\n')).toEqual([{ event: 'a', data: '1', id: undefined }])
  })

  it('of several data lines, comments and unknown fields are read as the standard says', async () => {
    expect(await parsed(': hello\nretry: 10\ndata:x\ndata: y\nid:4\nnonsense\n\n\nevent: empty\n\n')).toEqual([
      { event: 'message', data: 'x\ny', id: '4' },
    ])
  })

  it('larger than the limit end with TOO_LARGE, in one line or many', async () => {
    const tooLarge = expect.objectContaining({ code: 'TOO_LARGE' })
    await expect(parsed(`data: ${'x'.repeat(200)}`, [10], 100)).rejects.toEqual(tooLarge)
    await expect(parsed('data: xxxxxxxxxx\n'.repeat(20), [10], 100)).rejects.toEqual(tooLarge)
    await expect(parsed('data: xxxxxxxxxx\n\n'.repeat(20), [10], 100)).resolves.toHaveLength(20)
  })
})
