import { FlotillaError } from '../../core/errors.ts'
import { FOLLOW_BYTES, type PutOptions } from '../../core/files/tree-files.ts'
import type { FileFacts } from '../../core/files/tree-index.ts'
import type { Op } from '../../core/op.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { Digests, digestsOf } from './digests.ts'
import { FromBody } from './faults.ts'
import type { GrowingFile } from './growing-file.ts'
import { Pouring } from './pouring.ts'

/** What was announced of a body, and who takes part. */
export type Announced = Pick<PutOptions, 'size' | 'md5' | 'sha256' | 'check' | 'digests' | 'follow' | 'isOwn'>

export interface Received {
  readonly size: number
  /** Those that were announced or asked for. */
  readonly md5: string | undefined
  readonly sha256: string | undefined
}

interface Place {
  readonly file: number
  readonly position: number
  readonly calls: FileCalls
  /** The file, for those who follow; they are told when it is worth it. */
  readonly growing?: GrowingFile | undefined
}

/**
 * Writes the whole body to a place of a file, in constant memory. Rejects with `FromBody`, with what the check throws, and with
 * `CORRUPT` where it is not what was announced. Nothing is written any more when it ends.
 */
export async function receive(
  name: string,
  body: AsyncIterable<Uint8Array>,
  announced: Announced & Op,
  { file, position, calls, growing }: Place,
): Promise<Received> {
  const digests = new Digests(digestsOf(announced))
  const { isOwn } = announced
  const pouring = new Pouring(file, position, calls, { isOwn, onWritten: (written) => growing?.grow(written) })
  let size = 0
  let follow = growing && announced.follow
  const followBeyond = (bytes: number): void => {
    if (growing === undefined || follow === undefined || bytes <= FOLLOW_BYTES) return
    follow(growing.behind(name))
    follow = undefined
  }
  try {
    announced.signal?.throwIfAborted()
    followBeyond(announced.size ?? 0)
    for await (const chunk of marked(body)) {
      announced.signal?.throwIfAborted()
      size += chunk.byteLength
      if (size > (announced.size ?? Infinity)) throw corrupt(name, `more than the ${announced.size} bytes`)
      digests.update(chunk)
      announced.check?.(chunk)
      await pouring.add(chunk)
      followBeyond(size)
    }
    announced.check?.(undefined)
    const received = { size, ...digests.values() }
    verify(name, received, announced)
    await pouring.end()
    return received
  } finally {
    await pouring.stop()
  }
}

/** What is kept with it. */
export function factsOf({ md5, sha256 }: Received, options: Pick<PutOptions, 'facts'>): FileFacts {
  const given = options.facts?.()
  return { ...given, etag: given?.etag ?? md5, md5: md5 ?? given?.md5, sha256: sha256 ?? given?.sha256 }
}

/** What it rejects with is wrapped. */
export async function* marked(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body
  } catch (error) {
    throw new FromBody(error)
  }
}

export function verify(name: string, received: Received, announced: Announced): void {
  for (const what of ['size', 'md5', 'sha256'] as const) {
    const expected = announced[what]
    if (expected === undefined || expected === received[what]) continue
    throw corrupt(name, `${received[what]} for its ${what}, where ${expected}`)
  }
}

function corrupt(name: string, what: string): FlotillaError {
  return new FlotillaError('CORRUPT', `the body of ${name} has ${what} was announced`, {
    hint: 'Nothing was changed; send it again.',
  })
}
