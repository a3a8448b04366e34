import { listedKey, xmlDocument, xmlOf } from '../../lib/s3/xml-write.ts'
import { sendXml } from '../errors.ts'
import type { Exchange } from '../exchange.ts'
import { contentsElement, OWNER, prefixElement, versionElement } from './elements.ts'
import { type ListRequest, parseList, parseToken, tokenOf } from './list-request.ts'
import { type Listed, type Pager, walk } from './walk.ts'

/** The lines of one answer, and what the next begins after. */
interface Lines {
  readonly lines: readonly Listed[]
  readonly isTruncated: boolean
  readonly last: string
}

/** ListObjectsV2. Without a pager nothing of it may be seen, which was found out before. */
export function listObjectsV2(exchange: Exchange, bucket: string, pager: Pager): void {
  const list = parseList(exchange)
  const token = exchange.parameter('continuation-token')
  const startAfter = exchange.parameter('start-after')
  const { lines, isTruncated, last } = take(pager, list, token === undefined ? (startAfter ?? '') : parseToken(token))
  const owner = exchange.parameter('fetch-owner') === 'true' ? OWNER : ''
  const head = xmlOf({
    Name: bucket,
    ...echoed(list),
    ContinuationToken: token,
    StartAfter: startAfter === undefined ? undefined : listedKey(startAfter, list.isUrl),
    KeyCount: lines.length,
    IsTruncated: isTruncated,
    NextContinuationToken: isTruncated ? tokenOf(last) : undefined,
  })
  send(exchange, 'ListBucketResult', head + body(lines, list, owner))
}

/** ListObjects, the first version: `NextMarker` comes with a delimiter only, others go on from the last key. */
export function listObjectsV1(exchange: Exchange, bucket: string, pager: Pager): void {
  const list = parseList(exchange)
  const marker = exchange.parameter('marker') ?? ''
  const { lines, isTruncated, last } = take(pager, list, marker)
  const head = xmlOf({
    Name: bucket,
    ...echoed(list),
    Marker: listedKey(marker, list.isUrl),
    NextMarker: isTruncated && list.delimiter !== '' ? listedKey(last, list.isUrl) : undefined,
    IsTruncated: isTruncated,
  })
  send(exchange, 'ListBucketResult', head + body(lines, list, OWNER))
}

/** ListObjectVersions: every file has the one version `null`. */
export function listObjectVersions(exchange: Exchange, bucket: string, pager: Pager): void {
  const list = parseList(exchange)
  const marker = exchange.parameter('key-marker') ?? ''
  const { lines, isTruncated, last } = take(pager, list, marker)
  const head = xmlOf({
    Name: bucket,
    ...echoed(list),
    KeyMarker: listedKey(marker, list.isUrl),
    VersionIdMarker: exchange.parameter('version-id-marker') ?? '',
    NextKeyMarker: isTruncated ? listedKey(last, list.isUrl) : undefined,
    NextVersionIdMarker: isTruncated ? 'null' : undefined,
    IsTruncated: isTruncated,
  })
  let text = head
  for (const line of lines) if ('key' in line) text += versionElement(line, list.isUrl)
  send(exchange, 'ListVersionsResult', text + prefixes(lines, list))
}

function take(pager: Pager, list: ListRequest, after: string): Lines {
  const lines: Listed[] = []
  let last = ''
  if (list.maxKeys === 0) return { lines, isTruncated: false, last }
  for (const line of walk(pager, { ...list, after })) {
    if (lines.length === list.maxKeys) return { lines, isTruncated: true, last }
    lines.push(line)
    last = 'key' in line ? line.key : line.commonPrefix
  }
  return { lines, isTruncated: false, last }
}

function echoed({ prefix, delimiter, maxKeys, isUrl }: ListRequest) {
  return {
    Prefix: listedKey(prefix, isUrl),
    Delimiter: delimiter === '' ? undefined : listedKey(delimiter, isUrl),
    MaxKeys: maxKeys,
    EncodingType: isUrl ? 'url' : undefined,
  }
}

function body(lines: readonly Listed[], list: ListRequest, owner: string): string {
  let text = ''
  for (const line of lines) if ('key' in line) text += contentsElement(line, list.isUrl, owner)
  return text + prefixes(lines, list)
}

function prefixes(lines: readonly Listed[], { isUrl }: ListRequest): string {
  let text = ''
  for (const line of lines) if ('commonPrefix' in line) text += prefixElement(line.commonPrefix, isUrl)
  return text
}

function send(exchange: Exchange, root: string, elements: string): void {
  const end = `</${root}>`
  sendXml(exchange, 200, xmlDocument(root, {}).slice(0, -end.length) + elements + end)
}
