import type { Clock } from '../core/clock.ts'
import { xmlDocument } from '../lib/s3/xml-write.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { errorDocument, sendXml, toS3Error } from './errors.ts'
import type { Exchange } from './exchange.ts'

/** Clients give up on an answer of which nothing comes for a minute or so. */
const PATIENCE_MS = 10_000

/**
 * Answers with the document that `work` resolves with. While that takes long the answer is begun, and spaces in it say that it goes on; an error is
 * then a document within a success, as clients of S3 know it from copies and completed uploads.
 */
export async function answerPatiently(exchange: Exchange, clock: Clock, work: () => Promise<string>): Promise<void> {
  const { response } = exchange
  const done = new AbortController()
  const waiting = wait(exchange, clock, done.signal)
  exchange.takeTime()
  try {
    const document = await work()
    done.abort()
    await waiting
    if (response.headersSent) response.end(document.slice(DECLARATION.length))
    else sendXml(exchange, 200, document)
  } catch (error) {
    done.abort()
    await waiting
    const known = response.headersSent && !response.destroyed ? toS3Error(error) : undefined
    if (known === undefined) throw error
    response.end(errorDocument(known, exchange.target.rawPath, exchange.requestId).slice(DECLARATION.length))
  }
}

async function wait({ response, requestId }: Exchange, clock: Clock, signal: AbortSignal): Promise<void> {
  while (await sleepQuietly(clock, PATIENCE_MS, signal)) {
    if (response.destroyed) return
    if (response.headersSent) response.write(' ')
    else {
      response.writeHead(200, { 'content-type': 'application/xml', 'x-amz-request-id': requestId })
      response.write(DECLARATION)
    }
  }
}

const [DECLARATION = ''] = xmlDocument('Error', {}).split('<Error>')
