import { impossibleKey } from '../../core/files/impossible.ts'
import { FRAME } from '../../core/files/peer-wire.ts'
import { isGone, type PutOperation } from '../../core/push/operation.ts'
import { ABORT_FRAME, BODY_FRAME_BYTES, OPERATION_FRAME, OPS_LIMITS, type Outcome } from '../../core/push/wire.ts'
import { parameter, type Target } from '../../lib/s3/target.ts'
import { sendJson } from '../peer/small-answers.ts'
import { type FedCall, numberIn, takeTime, withDeep } from './fed-call.ts'
import { bad, type FrameHead, FrameReader } from './frame-reader.ts'
import { readOperation } from './operation-json.ts'
import { isDone, passedOn } from './passing-on.ts'

/** One large file, as it comes to the parent: read no faster than it is taken. */
export async function answerBody(call: FedCall): Promise<void> {
  const { receiver, request, response, signal, target } = call
  const key = keyIn(target)
  const place = { key, id: idIn(target), from: numberIn(target, 'from') }
  const frames = new FrameReader(request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
  const incoming = new Incoming(frames, key, () => takeTime(call))
  let outcome: Outcome
  try {
    const { chunks } = incoming
    outcome = await receiver.body({ ...place, chunks, operation: async () => incoming.operation() }, { signal })
  } finally {
    await frames.close()
  }
  takeTime(call)
  const { received } = incoming
  const [told = outcome] = received === undefined ? [] : await passedOn(call, [received], [outcome])
  if (!isDone(told)) return sendJson(response, told)
  const isDeep = await withDeep(call, async (waitMs) => receiver.deep([key], waitMs, { signal }))
  sendJson(response, isDeep === undefined ? told : { ...told, isDeep })
}

export function idIn({ query }: Target): string {
  const id = parameter(query, 'id') ?? ''
  if (!/^[a-z0-9-]{1,64}$/.test(id)) throw bad('"id" is 1 to 64 of a-z, 0-9 and -')
  return id
}

function keyIn({ query }: Target): string {
  const key = parameter(query, 'key') ?? ''
  const why = impossibleKey(key)
  if (why !== undefined) throw bad(why)
  return key
}

class Incoming {
  readonly #frames: FrameReader
  readonly #key: string
  readonly #onWhole: () => void
  /** What came after the last byte; undefined while that has not come. */
  #last: FrameHead | undefined
  /** Once it has come whole. */
  received: PutOperation | undefined

  constructor(frames: FrameReader, key: string, onWhole: () => void) {
    this.#frames = frames
    this.#key = key
    this.#onWhole = onWhole
  }

  readonly chunks: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => this.#chunks() }

  async *#chunks(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const head = await this.#frames.head()
      if (head.kind !== FRAME.bytes) {
        this.#last = head
        return
      }
      if (head.count > BODY_FRAME_BYTES)
        throw bad(`a frame has ${head.count} bytes, and ${BODY_FRAME_BYTES} are the most`)
      yield* this.#frames.pieces(head.count)
    }
  }

  async operation(): Promise<PutOperation | undefined> {
    const last = this.#last
    if (last === undefined) throw bad('its operation was asked for before its end')
    if (last.kind === ABORT_FRAME && last.count === 0) {
      await this.#over()
      return undefined
    }
    if (last.kind !== OPERATION_FRAME) throw bad(`a frame of kind ${last.kind} comes at the end of a file`)
    if (last.count > OPS_LIMITS.jsonBytes) throw bad('an operation is too long')
    const { operation, isOffer } = readOperation(await this.#frames.bytes(last.count))
    if (isGone(operation) || isOffer) throw bad('a file comes, and its operation is another')
    if (operation.key !== this.#key) throw bad('the operation is that of another file')
    const end = await this.#frames.head()
    if (end.kind !== FRAME.end || end.count !== 0) throw bad('no end follows the operation')
    await this.#over()
    this.received = operation
    return operation
  }

  async #over(): Promise<void> {
    await this.#frames.end()
    this.#onWhole()
  }
}
