import { FlotillaError } from '../../core/errors.ts'
import type { ChangePage, FileChange } from '../../core/files/peer.ts'
import { CHANGE_LINE_BYTES_MAX, changeOf, CURSOR_CHARS_MAX } from '../../core/files/peer-wire.ts'

const NEWLINE = 0x0a

/**
 * The pages of an answer to `changes`, one for each piece of the body that came. Rejects with `BAD_LISTING` for what is no such answer, and for
 * one that ends without a cursor. Holds no more than a piece of it.
 */
export async function* changePages(body: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<ChangePage, void> {
  let reset: boolean | undefined
  let isWhole = false
  for await (const values of linesOf(body, name)) {
    const changes: FileChange[] = []
    let cursor: string | undefined
    for (const value of values) {
      if (isWhole) throw bad(name, 'something follows its end')
      if (reset === undefined) {
        reset = headOf(value, name)
        continue
      }
      cursor = cursorOf(value)
      if (cursor !== undefined) {
        isWhole = true
        continue
      }
      const change = typeof value === 'object' && value !== null ? changeOf(value) : 'a line is no change'
      if (typeof change === 'string') throw bad(name, change)
      changes.push(change)
    }
    if (reset === undefined) continue
    if (isWhole && cursor !== undefined) yield { reset, changes, cursor }
    else if (changes.length > 0) yield { reset, changes }
  }
  if (!isWhole) throw bad(name, 'it ends too early')
}

/** Values of whole lines, those of a piece of the body at once: much cheaper than line by line. */
export async function* linesOf(
  body: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<readonly unknown[], void> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let rest: Uint8Array = new Uint8Array()
  for await (const chunk of body) {
    const last = chunk.lastIndexOf(NEWLINE)
    if (last < 0) {
      rest = joined(rest, chunk)
    } else {
      const whole = rest.byteLength === 0 ? chunk.subarray(0, last) : joined(rest, chunk.subarray(0, last))
      rest = chunk.slice(last + 1)
      yield parse(whole, decoder, name)
    }
    if (rest.byteLength > CHANGE_LINE_BYTES_MAX) throw bad(name, 'a line is too long')
  }
  if (rest.byteLength > 0) throw bad(name, 'it ends within a line')
}

function parse(lines: Uint8Array, decoder: InstanceType<typeof TextDecoder>, name: string): readonly unknown[] {
  try {
    const text = decoder.decode(lines)
    // A line break within a string of JSON is escaped, so every one that is there ends a line.
    return JSON.parse(`[${text.replace(/^\n+|\n+$/g, '').replace(/\n+/g, ',')}]`) as unknown[]
  } catch {
    throw bad(name, 'it is no lines of JSON')
  }
}

function headOf(value: unknown, name: string): boolean {
  const { reset } = (value ?? {}) as { reset?: unknown }
  if (typeof reset !== 'boolean') throw bad(name, 'it does not begin like one')
  return reset
}

function cursorOf(value: unknown): string | undefined {
  const { cursor } = (value ?? {}) as { cursor?: unknown }
  return typeof cursor === 'string' && cursor !== '' && cursor.length <= CURSOR_CHARS_MAX ? cursor : undefined
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.byteLength === 0 ? right : Buffer.concat([left, right])
}

function bad(name: string, why: string): FlotillaError {
  return new FlotillaError('BAD_LISTING', `the list of changes of ${name} is none: ${why}`)
}
