import { isError } from '../core/errors.ts'
import { S3Error } from '../lib/s3/errors.ts'
import type { Exchange } from './exchange.ts'
import type { ServedTree } from './options.ts'

/** Does what is asked for under the fence of the request, if there is one. Throws `StaleFence` before anything is done. */
export async function underFence<T>(exchange: Exchange, tree: ServedTree, work: () => Promise<T>): Promise<T> {
  const leave = await enterFence(exchange, tree)
  try {
    return await work()
  } finally {
    leave()
  }
}

/**
 * As `underFence`, for a body that takes its time: looks before the first byte, and again when all of it is here and before it
 * takes its place. `put` gets the body that does so, and what has to be asked at the end of it.
 */
export async function putUnderFence<T>(
  exchange: Exchange,
  tree: ServedTree,
  body: AsyncIterable<Uint8Array>,
  put: (body: AsyncIterable<Uint8Array>, hasEntered: () => boolean) => Promise<T>,
): Promise<T> {
  if (exchange.header('fence') === undefined) return put(body, () => true)
  const look = await enterFence(exchange, tree)
  look()
  let leave: (() => void) | undefined
  const fenced = async function* (): AsyncGenerator<Uint8Array, void> {
    yield* body
    leave = await enterFence(exchange, tree)
  }
  try {
    return await put(fenced(), () => leave !== undefined)
  } finally {
    leave?.()
  }
}

async function enterFence(exchange: Exchange, { fences }: ServedTree): Promise<() => void> {
  const text = exchange.header('fence')
  if (text === undefined) return () => undefined
  if (fences === undefined) throw new S3Error('NotImplemented', 'This tree takes no Fence.')
  try {
    return await fences.enter(text, { signal: exchange.signal })
  } catch (error) {
    if (isError(error, 'STALE_FENCE')) throw new S3Error('StaleFence', error.message)
    if (isError(error, 'BAD_REQUEST')) throw new S3Error('InvalidArgument', error.message, { ArgumentName: 'fence' })
    if (isError(error, 'UNREACHABLE', 'NOT_READY')) {
      throw new S3Error('ServiceUnavailable', 'Whether the fence is good cannot be asked at the moment. Try again.')
    }
    throw error
  }
}
