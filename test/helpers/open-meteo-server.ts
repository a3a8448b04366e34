import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface OpenMeteoFile {
  readonly bytes: Uint8Array
  readonly modifiedMs: number
}

export interface OpenMeteoServer {
  readonly url: string
  /** By their keys, such as `data/icon/rain/chunk_1.om`. */
  readonly files: Map<string, OpenMeteoFile>
  /** Every request, as it came: method and URL. */
  readonly requests: string[]
  close(): Promise<void>
}

export interface OpenMeteoServerOptions {
  readonly apikey?: string
  /** Hours by which its clock's zone is off: it calls its local time UTC in listings. */
  readonly zoneHours?: number
  /** Called before a request is answered; true when it was answered here. */
  readonly meddle?: (request: IncomingMessage, response: ServerResponse) => boolean
}

/**
 * Answers as servers of Open-Meteo do, faults included: listings of one folder only, in no order, without ETags and pages; `If-Match` is not
 * looked at; 500 for what is not there, 400 for a range beyond the end..
 */
export async function openOpenMeteoServer(options: OpenMeteoServerOptions = {}): Promise<OpenMeteoServer> {
  const files = new Map<string, OpenMeteoFile>()
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    if (options.meddle?.(request, response) !== true) answer(request, response, files, options)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    files,
    requests,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: ReadonlyMap<string, OpenMeteoFile>,
  { apikey, zoneHours = 0 }: OpenMeteoServerOptions,
): void {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://host')
  const fail = (status: number, reason: string): void => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' })
    response.end(request.method === 'HEAD' ? undefined : JSON.stringify({ error: true, reason }))
  }
  const isJson = pathname.endsWith('.json')
  if (apikey !== undefined && !isJson && query.get('apikey') !== apikey) return fail(401, 'Invalid API key')
  if (query.has('list-type')) {
    const prefix = query.get('prefix') ?? ''
    if (query.get('delimiter') !== '/' || (prefix !== '' && !prefix.endsWith('/'))) return fail(403, 'Forbidden')
    response.writeHead(200, { 'content-type': 'application/xml' }).end(listing(prefix, files, zoneHours))
    return
  }
  const file = files.get(decodeURIComponent(pathname.slice(1)))
  if (file === undefined) return fail(pathname.startsWith('/data') ? 500 : 404, 'Internal Server Error')
  sendFile(request, response, file, fail)
}

function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, modifiedMs }: OpenMeteoFile,
  fail: (status: number, reason: string) => void,
): void {
  const headers = {
    etag: `"${Math.floor(modifiedMs / 1000)}-${bytes.byteLength}"`,
    'last-modified': new Date(modifiedMs).toUTCString(),
  }
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  if (first === undefined) {
    response.writeHead(200, { ...headers, 'content-length': bytes.byteLength })
    response.end(request.method === 'HEAD' ? undefined : bytes)
    return
  }
  if (Number(first) >= bytes.byteLength) return fail(400, 'Bad Request')
  const end = Math.min(Number(last) + 1, bytes.byteLength)
  const part = bytes.subarray(Number(first), end)
  response.writeHead(206, {
    ...headers,
    accept: 'bytes',
    'content-range': `bytes ${first}-${end - 1}/${bytes.byteLength}`,
    'content-length': part.byteLength,
  })
  response.end(part)
}

/** Byte for byte as the golden listings: keys are not escaped. */
function listing(prefix: string, files: ReadonlyMap<string, OpenMeteoFile>, zoneHours: number): string {
  const folders = new Set<string>()
  const contents: string[] = []
  for (const [key, { bytes, modifiedMs }] of files) {
    if (!key.startsWith(prefix) || key.includes('~')) continue
    const slash = key.indexOf('/', prefix.length)
    if (slash >= 0) {
      folders.add(key.slice(0, slash + 1))
      continue
    }
    const seconds = Math.floor(modifiedMs / 1000) + zoneHours * 3600
    contents.push(
      `<Contents>\n    <Key>${key}</Key>\n    <LastModified>${new Date(seconds * 1000).toISOString()}</LastModified>\n` +
        `    <Size>${bytes.byteLength}</Size>\n    <StorageClass>STANDARD</StorageClass>\n</Contents>`,
    )
  }
  const common = [...folders].map((folder) => `<CommonPrefixes>\n<Prefix>${folder}</Prefix>\n</CommonPrefixes>`)
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>openmeteo</Name>
    <Prefix>${prefix === '' ? '/' : prefix}</Prefix>
    <KeyCount>${common.length + contents.length}</KeyCount>
    <MaxKeys>1000</MaxKeys>
    <Delimiter>/</Delimiter>
    <IsTruncated>false</IsTruncated>
    ${common.join('\n')}
    ${contents.join('\n')}
</ListBucketResult>`
}
