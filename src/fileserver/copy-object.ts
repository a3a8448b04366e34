import type { Clock } from '../core/clock.ts'
import type { OpenedFile } from '../core/files/tree-files.ts'
import type { FileFacts } from '../core/files/tree-index.ts'
import { CHECKSUMS, checksumOfHeader, isChecksumAlgorithm, newChecksum } from '../lib/s3/checksums.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { xmlDocument } from '../lib/s3/xml-write.ts'
import { ackWish, requireReached } from './acknowledge.ts'
import { evaluate, OF_COPY, writeConditions } from './conditions.ts'
import { openElsewhere } from './elsewhere.ts'
import type { Exchange } from './exchange.ts'
import { isoSeconds } from './listing/elements.ts'
import { answerPatiently } from './patience.ts'
import { underFence } from './fence.ts'
import { keptHeaders } from './object-headers.ts'
import type { ServedTree } from './options.ts'
import { refuseUnknown, written } from './put-object.ts'
import type { Router } from './router.ts'

/** PUT with `x-amz-copy-source`: a file of any tree that the caller may read, under another key. */
export async function copyObject(
  exchange: Exchange,
  tree: ServedTree,
  key: string,
  { router, clock }: { readonly router: Router; readonly clock: Clock },
): Promise<void> {
  refuseUnknown(exchange)
  const wish = ackWish(exchange, tree)
  const isReplaced = directiveIn(exchange) === 'REPLACE'
  const replaced = isReplaced ? keptHeaders(exchange) : undefined
  await withCopySource(exchange, router, async (source, from) => {
    if (from.tree === tree && from.key === key && !isReplaced) {
      throw new S3Error('InvalidRequest', 'This copy request is illegal: it copies a file to itself without a change.')
    }
    const kept = replaced ?? withoutChecksums(source.facts?.headers ?? {})
    const checksum = wishedChecksum(exchange)
    const facts = (): FileFacts => ({ headers: { ...kept, ...checksum?.headers() } })
    const { size } = source.entry
    const { signal } = exchange
    const body = source.read(0, size, { signal })
    const options = { size, check: checksum?.check, facts, signal, ...writeConditions(exchange) }
    await answerPatiently(exchange, clock, async () => {
      const put = await underFence(exchange, tree, async () => tree.files.put(key, body, options))
      const entry = written(put, exchange, tree, key)
      await requireReached(exchange, tree, key, wish)
      const result = { LastModified: isoSeconds(entry.modifiedMs), ETag: `"${entry.etag}"`, ...checksum?.elements() }
      return xmlDocument('CopyObjectResult', result)
    })
  })
}

export interface CopySource {
  readonly tree: ServedTree
  readonly key: string
}

/** Opens what `x-amz-copy-source` names, if the conditions of the copy hold. */
export async function withCopySource(
  exchange: Exchange,
  router: Router,
  use: (file: OpenedFile, source: CopySource) => Promise<void>,
): Promise<void> {
  const from = copySource(exchange, router)
  if (!exchange.caller.mayRead(from.tree.name, from.key)) throw new S3Error('AccessDenied')
  const file = (await from.tree.files.open(from.key)) ?? (await openElsewhere(exchange, from.tree, from.key))
  if (file === undefined) throw new S3Error('NoSuchKey', undefined, { Key: from.key })
  try {
    if (evaluate(exchange, OF_COPY, file.entry) !== 'holds') throw new S3Error('PreconditionFailed')
    await use(file, from)
  } finally {
    await file.close()
  }
}

function copySource(exchange: Exchange, router: Router): CopySource {
  const [path, query] = splitOnce(exchange.header('x-amz-copy-source') ?? '', '?')
  if (query !== undefined && query !== 'versionId=null') throw new S3Error('NoSuchVersion')
  const decoded = decode(path)
  const place = router.place(decoded.startsWith('/') ? decoded : `/${decoded}`, undefined)
  if (place.bucket === undefined || place.isGuess) throw new S3Error('NoSuchBucket')
  const found = router.resolve(place.bucket, place.key)
  if (found === undefined || found.key === '') throw new S3Error('NoSuchKey')
  return found
}

function directiveIn(exchange: Exchange): 'COPY' | 'REPLACE' {
  const directive = exchange.header('x-amz-metadata-directive') ?? 'COPY'
  if (directive === 'COPY' || directive === 'REPLACE') return directive
  throw new S3Error('InvalidArgument', 'Unknown metadata directive.')
}

interface WishedChecksum {
  readonly check: (chunk: Uint8Array | undefined) => void
  /** Known when the body was read. */
  headers(): Readonly<Record<string, string>>
  elements(): Readonly<Record<string, string>>
}

/** The one that `x-amz-checksum-algorithm` wishes to be computed. */
function wishedChecksum(exchange: Exchange): WishedChecksum | undefined {
  const algorithm = exchange.header('x-amz-checksum-algorithm')?.toUpperCase()
  if (algorithm === undefined || !isChecksumAlgorithm(algorithm)) return undefined
  const checksum = newChecksum(algorithm)
  const { header, element } = CHECKSUMS[algorithm]
  let value = ''
  return {
    check: (chunk) => {
      if (chunk === undefined) value = checksum.digest().toString('base64')
      else checksum.update(chunk)
    },
    headers: () => ({ [header]: value }),
    elements: () => ({ [element]: value }),
  }
}

/** Those of a file that came in parts are not those of the copy, which is in one piece. */
function withoutChecksums(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const kept = Object.entries(headers).filter(([name]) => {
    const isOfWhole = checksumOfHeader(name) !== undefined && !/-\d+$/.test(headers[name] ?? '')
    return isOfWhole || (!name.startsWith('x-amz-checksum-') && !name.startsWith('x-flotilla-'))
  })
  return Object.fromEntries(kept)
}

function splitOnce(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** As UTF-8, which Node.js hands over as Latin-1 where it was not encoded. */
function decode(path: string): string {
  try {
    return decodeURIComponent(Buffer.from(path, 'latin1').toString())
  } catch {
    throw new S3Error('InvalidArgument', 'The copy source is not encoded as a URL.')
  }
}
