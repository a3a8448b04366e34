import { createHash } from 'node:crypto'
import { FlotillaError } from '../../core/errors.ts'
import type { PutOptions } from '../../core/files/tree-files.ts'
import type { Op } from '../../core/op.ts'
import type { FileCalls } from '../../lib/file-calls.ts'
import { FromBody } from './faults.ts'
import { Pouring } from './pouring.ts'

/** What was announced of a body. */
export type Announced = Pick<PutOptions, 'size' | 'md5' | 'sha256' | 'check'>

export interface Received {
  readonly size: number
  readonly md5: string
  /** Where it was announced. */
  readonly sha256: string | undefined
}

interface Place {
  readonly file: number
  readonly position: number
  readonly calls: FileCalls
}

/**
 * Writes the whole body to a place of a file, in constant memory. Rejects with `FromBody`, with what the check throws, and with
 * `CORRUPT` where it is not what was announced. Nothing is written any more when it ends.
 */
export async function receive(
  name: string,
  body: AsyncIterable<Uint8Array>,
  announced: Announced & Op,
  { file, position, calls }: Place,
): Promise<Received> {
  const [md5, sha256] = [createHash('md5'), announced.sha256 === undefined ? undefined : createHash('sha256')]
  const pouring = new Pouring(file, position, calls)
  let size = 0
  try {
    announced.signal?.throwIfAborted()
    for await (const chunk of marked(body)) {
      announced.signal?.throwIfAborted()
      size += chunk.byteLength
      if (size > (announced.size ?? Infinity)) throw corrupt(name, `more than the ${announced.size} bytes`)
      md5.update(chunk)
      sha256?.update(chunk)
      announced.check?.(chunk)
      await pouring.add(chunk)
    }
    announced.check?.(undefined)
    const received = { size, md5: md5.digest('hex'), sha256: sha256?.digest('hex') }
    verify(name, received, announced)
    await pouring.end()
    return received
  } finally {
    await pouring.stop()
  }
}

async function* marked(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body
  } catch (error) {
    throw new FromBody(error)
  }
}

function verify(name: string, received: Received, announced: Announced): void {
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
