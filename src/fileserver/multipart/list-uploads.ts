import { xmlDocument, listedKey } from '../../lib/s3/xml-write.ts'
import { sendXml } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { isoSeconds } from '../listing/elements.ts'
import { parseList } from '../listing/list-request.ts'
import type { ServedTree } from '../options.ts'

/**
 * GET `?uploads`: those that the caller may go on with; nothing tells of others. Common prefixes are made of one page of uploads, of which
 * there are few.
 */
export async function listUploads(exchange: Exchange, bucket: string, tree: ServedTree): Promise<void> {
  const { prefix, delimiter, maxKeys, isUrl } = parseList(exchange, 'max-uploads')
  const afterKey = exchange.parameter('key-marker') ?? ''
  const afterId = exchange.parameter('upload-id-marker') ?? (afterKey === '' ? '' : LAST_ID)
  const all = { prefix, afterKey, afterId, limit: Number.MAX_SAFE_INTEGER, signal: exchange.signal }
  const found = ((await tree.uploads?.list(all)) ?? []).filter(({ key }) => exchange.caller.mayWrite(tree.name, key))
  const uploads = found.slice(0, maxKeys)
  const last = found.length > maxKeys ? uploads.at(-1) : undefined
  const folders = new Set<string>()
  const own = uploads.filter(({ key }) => {
    const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
    if (at !== -1) folders.add(key.slice(0, at + delimiter.length))
    return at === -1
  })
  const document = xmlDocument('ListMultipartUploadsResult', {
    Bucket: bucket,
    KeyMarker: listedKey(afterKey, isUrl),
    UploadIdMarker: exchange.parameter('upload-id-marker') ?? '',
    NextKeyMarker: last === undefined ? undefined : listedKey(last.key, isUrl),
    NextUploadIdMarker: last?.id,
    Prefix: listedKey(prefix, isUrl),
    Delimiter: delimiter === '' ? undefined : listedKey(delimiter, isUrl),
    MaxUploads: maxKeys,
    EncodingType: isUrl ? 'url' : undefined,
    IsTruncated: last !== undefined,
    Upload: own.map(({ key, id, startedMs }) => ({
      Key: listedKey(key, isUrl),
      UploadId: id,
      Initiator: { ID: 'flotilla', DisplayName: 'flotilla' },
      Owner: { ID: 'flotilla', DisplayName: 'flotilla' },
      StorageClass: 'STANDARD',
      Initiated: isoSeconds(startedMs),
    })),
    CommonPrefixes: [...folders].map((folder) => ({ Prefix: listedKey(folder, isUrl) })),
  })
  sendXml(exchange, 200, document)
}

/** After every id: with a key alone, what comes after all uploads of that key. */
const LAST_ID = '\u{10ffff}'
