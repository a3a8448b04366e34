/** Frames of HTTP/2 as bytes. facts: RFC 9113, sections 4 and 6. */

export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  window: 8,
  continuation: 9,
} as const
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const
export const SETTING = { headerTable: 1, push: 2, streams: 3, window: 4 } as const

/** Every frame that either side sends fits this unless the other allows more, and nobody here does. */
export const FRAME_BYTES = 16_384
const HEAD_BYTES = 9
const ID_MASK = 0x7fffffff

export interface Frame {
  readonly type: number
  readonly flags: number
  /** Of the stream; 0 for the connection. */
  readonly id: number
  readonly payload: Buffer
}

/** What goes before the payload. */
export function frameHead(type: number, flags: number, id: number, length: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES)
  head.writeUIntBE(length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return head
}

export function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  return Buffer.concat([frameHead(type, flags, id, payload.length), payload])
}

export function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 * values.length)
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index)
  return bytes
}

export function settingsOf(values: readonly (readonly [setting: number, value: number])[]): Buffer {
  return Buffer.concat(values.map(([setting, value]) => Buffer.concat([Buffer.from([0, setting]), numbers(value)])))
}

export function* settingsIn(payload: Buffer): Iterable<readonly [setting: number, value: number]> {
  for (let at = 0; at + 6 <= payload.length; at += 6) yield [payload.readUInt16BE(at), payload.readUInt32BE(at + 2)]
}

/** The frames in a stream of bytes. */
export class Frames {
  #held: Buffer = Buffer.alloc(0)

  /** Those that are whole now. Throws `RangeError` for what is not HTTP/2. */
  take(chunk: Buffer): readonly Frame[] {
    const frames: Frame[] = []
    this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    while (this.#held.length >= HEAD_BYTES) {
      const bytes = this.#held
      const end = HEAD_BYTES + bytes.readUIntBE(0, 3)
      if (end > HEAD_BYTES + FRAME_BYTES) throw new RangeError('what answers does not speak HTTP/2')
      if (bytes.length < end) break
      this.#held = bytes.subarray(end)
      frames.push({
        type: bytes[3] ?? 0,
        flags: bytes[4] ?? 0,
        id: bytes.readUInt32BE(5) & ID_MASK,
        payload: bytes.subarray(HEAD_BYTES, end),
      })
    }
    return frames
  }
}

/** What a frame of data or headers carries, without what is only there to be read over. */
export function contentOf({ type, flags, payload }: Frame): Buffer {
  const isPadded = (flags & FLAG.padded) !== 0
  const start = (isPadded ? 1 : 0) + (type === FRAME.headers && (flags & FLAG.priority) !== 0 ? 5 : 0)
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0)
  if (end < start) throw new RangeError('a frame of HTTP/2 is shorter than it says')
  return payload.subarray(start, end)
}
