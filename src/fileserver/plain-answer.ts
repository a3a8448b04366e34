import { writtenJson, writtenLines } from '../compat/filedist/answers.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { Reach } from '../core/push/ack.ts'
import type { Exchange } from './exchange.ts'
import type { ServedTree } from './options.ts'

/**
 * Answers a plain PUT or DELETE on a tree with children: 201, or 200 for a deletion, where the file has come as far as was wished, else 202. A
 * line for each node, as nginx.filedist had it, or JSON for those who accept it. `entry` undefined: it is gone.
 */
export function answerPlainly(
  exchange: Exchange,
  { distribution }: ServedTree,
  entry: FileEntry | undefined,
  reach: Reach,
): void {
  const { response, requestId, target } = exchange
  const names = new Map(distribution?.children().map(({ url, name }) => [url, name]))
  const path = target.rawPath
  const file = { bytes: entry?.size, etag: entry?.etag, sha256: entry?.sha256 }
  const written = { host: hostOf(exchange), path, ...file }
  const isJson = /\bapplication\/json\b/i.test(exchange.header('accept') ?? '')
  const body = Buffer.from(
    isJson ? writtenJson(written, reach) : writtenLines(written, reach, (child) => names.get(child) ?? child),
  )
  const done = entry === undefined ? 200 : 201
  response.writeHead(reach.isReached ? done : 202, {
    ...(entry !== undefined && { etag: `"${entry.etag}"` }),
    'content-type': isJson ? 'application/json' : 'text/plain; charset=utf-8',
    'content-length': body.byteLength,
    'x-amz-request-id': requestId,
  })
  response.end(body)
}

/** What whoever asks calls this node: nothing but characters that a host and a port can have. */
export function hostOf({ request: { headers, socket } }: Exchange): string {
  const { host = '' } = headers
  return /^[\w.:[\]-]{1,255}$/.test(host) ? host : `${socket.localAddress ?? 'localhost'}:${socket.localPort ?? 80}`
}
