import type { ServerResponse } from 'node:http'
import type { Clock } from '../core/clock.ts'
import type { OpenedFile } from '../core/files/tree-files.ts'
import type { ByteRange } from './range.ts'
import { ClientGone } from './exchange.ts'

/** How much may go out in advance of a capped rate. */
const BURST_MS = 250

/**
 * Sends these bytes as the body of an answer of which the head is written. One chunk is under way at a time, so that an answer costs
 * little memory, and the speed is that of whoever reads. Rejects with `ClientGone`, or as `read` does.
 */
export async function sendBytes(
  response: ServerResponse,
  file: OpenedFile,
  { start, end }: ByteRange,
  { clock, bytesPerSecond, signal }: { clock: Clock; bytesPerSecond: number | undefined; signal: AbortSignal },
): Promise<void> {
  const begunMs = clock.monotonicMs()
  let sent = 0
  for await (const chunk of file.read(start, end, { signal, reuse: true })) {
    await write(response, chunk)
    sent += chunk.byteLength
    if (bytesPerSecond === undefined) continue
    const aheadMs = (sent / bytesPerSecond) * 1000 - (clock.monotonicMs() - begunMs)
    if (aheadMs > BURST_MS) await clock.sleep(aheadMs, signal)
  }
  response.end()
}

/** Resolves when the system has taken all of it: the chunk may be overwritten then. */
async function write(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    response.write(chunk, (error) => {
      if (error === null || error === undefined) resolve()
      else reject(new ClientGone())
    })
  })
}

/** What an answer may have waiting to be sent without being counted any more. */
const WAITING_BYTES = 64 * 1024

/** Resolves when little of an answer is left to be sent, or nobody is there any more: until then it costs memory. */
export async function mostlySent(response: ServerResponse): Promise<void> {
  if (response.writableLength < WAITING_BYTES || response.destroyed) return
  await new Promise((resolve) => response.once('close', resolve))
}
