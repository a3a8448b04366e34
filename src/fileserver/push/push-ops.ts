import { FRAME } from '../../core/files/peer-wire.ts'
import type { OperationItem } from '../../core/push/child.ts'
import { isGone } from '../../core/push/operation.ts'
import { OPS_LIMITS, type Outcome } from '../../core/push/wire.ts'
import { sendJson } from '../peer/small-answers.ts'
import { bad, type FrameHead, FrameReader } from './frame-reader.ts'
import { readOperation } from './operation-json.ts'
import { type FedCall, takeTime, withDeep } from './fed-call.ts'
import { isDone, passedOn } from './passing-on.ts'
import { Turns } from './turns.ts'

/** Of these so many are held in memory, or carried out, at once; others wait unread. */
const AT_ONCE = 4

/** Takes batches of operations: each as a whole, once it has come whole, or not at all. */
export class PushOps {
  readonly #turns = new Turns(AT_ONCE)

  async answer(call: FedCall): Promise<void> {
    const { receiver, signal, response } = call
    const { operations, outcomes } = await this.#turns.take(signal, async () => {
      const read = await readItems(call)
      takeTime(call)
      return {
        operations: read.map(({ operation }) => operation),
        outcomes: await receiver.operations(read, { signal }),
      }
    })
    const told = await passedOn(call, operations, outcomes)
    const done = operations.filter((_, at) => isDone(told[at])).map(({ key }) => key)
    const isDeep = await withDeep(call, async (waitMs) => receiver.deep(done, waitMs, { signal }))
    sendJson(response, isDeep === undefined ? told : told.map((one) => deepened(one, isDeep)))
  }
}

async function readItems({ request }: FedCall): Promise<readonly OperationItem[]> {
  const frames = new FrameReader(request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>)
  try {
    const items: OperationItem[] = []
    const keys = new Set<string>()
    let total = 0
    let head = await frames.head()
    for (; head.kind !== FRAME.end; head = await frames.head()) {
      checkBytes(head, OPS_LIMITS.jsonBytes)
      if (items.length === OPS_LIMITS.operations) throw bad(`there are more than ${OPS_LIMITS.operations} operations`)
      const { operation, isOffer } = readOperation(await frames.bytes(head.count))
      if (keys.has(operation.key)) throw bad('a key comes twice')
      keys.add(operation.key)
      const bytes = isOffer || isGone(operation) ? undefined : await readContent(frames, OPS_LIMITS.bytes - total)
      total += bytes?.byteLength ?? 0
      items.push({ operation, bytes })
    }
    if (head.count !== items.length) throw bad(`${items.length} operations came, and ${head.count} were meant`)
    await frames.end()
    return items
  } finally {
    await frames.close()
  }
}

async function readContent(frames: FrameReader, limitBytes: number): Promise<Buffer> {
  const head = await frames.head()
  checkBytes(head, Math.min(OPS_LIMITS.contentBytes, limitBytes))
  return await frames.bytes(head.count)
}

function checkBytes({ kind, count }: FrameHead, limitBytes: number): void {
  if (kind !== FRAME.bytes) throw bad(`a frame of kind ${kind} comes where one of bytes is due`)
  if (count > limitBytes) throw bad(`a frame has ${count} bytes, and ${limitBytes} are the most`)
}

function deepened(outcome: Outcome, isDeep: boolean): Outcome {
  return isDone(outcome) ? { ...outcome, isDeep } : outcome
}
