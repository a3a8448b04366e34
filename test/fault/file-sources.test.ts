import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { buffer } from 'node:stream/consumers'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { FileEntry } from '../../src/core/files/entry.ts'
import { BLOCKS } from '../../src/core/files/peer.ts'
import { FRAME, PEER_HEADER } from '../../src/core/files/peer-wire.ts'
import type { FileSource, ListScope } from '../../src/core/files/source.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { type FlotillaSource, openFlotillaSource } from '../../src/objects/flotilla/flotilla-source.ts'
import { openOpenMeteoSource } from '../../src/objects/openmeteo/open-meteo-source.ts'
import { parseS3Url } from '../../src/objects/s3/location.ts'
import { openS3Source } from '../../src/objects/s3/s3-source.ts'
import { collect } from '../helpers/collect.ts'
import { memoryTree, openFileServer } from '../helpers/file-server.ts'
import { openOpenMeteoServer, type OpenMeteoServer, type OpenMeteoServerOptions } from '../helpers/open-meteo-server.ts'
import { openTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'

const nowMs = (): number => systemClock.nowMs()
const SILENCE_MS = 400
const soak = process.env['FLOTILLA_SOAK'] === '1'

setFlagsFromString('--expose-gc')
const clear = runInNewContext('gc') as () => void

/** What is in use, without what is only not yet cleared away. */
function heldBytes(): number {
  clear()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Reads that many entries of a listing that has no end, and leaves. */
async function expectBounded(pages: AsyncIterable<readonly FileEntry[]>, count: number): Promise<void> {
  const before = heldBytes()
  let seen = 0
  let most = 0
  let nextAt = 0
  for await (const page of pages) {
    seen += page.length
    if (seen >= nextAt) {
      nextAt = seen + count / 10
      most = Math.max(most, heldBytes() - before)
    }
    if (seen >= count) break
  }
  expect(seen).toBeGreaterThanOrEqual(count)
  expect(most).toBeLessThan(30 * 1024 * 1024)
}

function closing<Source extends FileSource>(source: Source): Source {
  onTestFinished(async () => source.close())
  return source
}

const sources: readonly (readonly [name: string, open: (server: string) => FileSource])[] = [
  ['a Flotilla node', (server) => openFlotillaSource({ server, tree: 'openmeteo', nowMs, silenceMs: SILENCE_MS })],
  ['a bucket', (url) => openS3Source({ ...parseS3Url(`${url}/openmeteo`), clock: systemClock, silenceMs: SILENCE_MS })],
  ['a server of Open-Meteo', (server) => openOpenMeteoSource({ server, nowMs, silenceMs: SILENCE_MS })],
]

const KEY = 'data/icon/rain/chunk_1.om'
const content = Buffer.from(Uint8Array.from({ length: 20_000_000 }, (_, index) => index % 251))

interface Far {
  readonly source: FileSource
  readonly wire: TcpProxy
  readonly entry: FileEntry
}

/** A source at the other end of a wire that can be cut. */
async function far(open: (server: string) => FileSource): Promise<Far> {
  const tree = memoryTree('openmeteo')
  tree.index.write(KEY, content, 1_790_000_000_000)
  const server = await openFileServer({ trees: [tree], open: { openReads: true } })
  const wire = await openTcpProxy(server.url)
  onTestFinished(async () => wire.close())
  const source = closing(open(wire.url))
  const [entry] = (await collect(source.list({}))).flat()
  return { source, wire, entry: entry as FileEntry }
}

const drain = async (chunks: AsyncIterator<unknown>): Promise<void> => {
  for (let next = await chunks.next(); next.done !== true;) next = await chunks.next()
}

describe.for(sources)('the network to %s', ([, open]) => {
  test('that is cut within a file is UNREACHABLE, and comes back', async () => {
    const { source, wire, entry } = await far(open)
    const chunks = (await source.open(entry))[Symbol.asyncIterator]()
    await chunks.next()
    wire.cut()
    await expect(drain(chunks)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    expect((await buffer(await source.open(entry))).equals(content)).toBe(true)
  })

  test('that falls silent within a file is UNREACHABLE', async () => {
    const { source, wire, entry } = await far(open)
    const chunks = (await source.open(entry))[Symbol.asyncIterator]()
    await chunks.next()
    wire.clog()
    await expect(drain(chunks)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  test('that is silent is UNREACHABLE, for listings and files', async () => {
    const { source, wire, entry } = await far(open)
    wire.clog()
    await expect(collect(source.list({}))).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await expect(source.open(entry)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  test('that does not exist is UNREACHABLE', async () => {
    const source = closing(open('http://127.0.0.1:1'))
    await expect(collect(source.list({}))).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

/** Any server, and the URL of it. */
async function serverThat(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A node that answers everything below `PEER_PATH` with this. */
async function liar(body: string | Uint8Array | AsyncIterable<string>, status = 200): Promise<FlotillaSource> {
  const server = await serverThat((_, response) => {
    response.writeHead(status, { [PEER_HEADER]: '1', 'x-flotilla-sha256': 'a'.repeat(64) })
    if (typeof body === 'string' || body instanceof Uint8Array) response.end(body)
    else void trickle(body, response)
  })
  return closing(openFlotillaSource({ server, tree: 't', nowMs, silenceMs: 5000 }))
}

async function trickle(pieces: AsyncIterable<string>, response: ServerResponse): Promise<void> {
  for await (const piece of pieces) {
    if (response.destroyed || response.closed) return
    if (!response.write(piece) && !response.closed) await new Promise((resolve) => response.once('drain', resolve))
  }
  response.end()
}

const HEAD = '{"reset":true}\n'
const END = '{"cursor":"e.1"}\n'
const line = (fields: object): string => `${JSON.stringify({ k: 'a', s: 1, m: 1, e: 'x', ...fields })}\n`

describe('a Flotilla node that lies', () => {
  test.for([
    ['is empty', ''],
    ['is a page of HTML', '<html><body>It works!</body></html>'],
    ['is cut short', HEAD + line({})],
    ['is cut within a line', `${HEAD}${line({})}{"cursor":"e`],
    ['has no head', line({}) + END],
    ['goes on after its end', HEAD + END + line({ k: 'b' })],
    ['has two ends', HEAD + END + END],
    ['has a line that is no JSON', `${HEAD}{"k":\n${END}`],
    ['has a line that is no object', `${HEAD}7\n${END}`],
    ['has a line of null', `${HEAD}null\n${END}`],
    ['is no UTF-8', Buffer.concat([Buffer.from(`${HEAD}{"k":"`), Buffer.from([0xff]), Buffer.from(`"}\n${END}`)])],
    ['has a negative size', HEAD + line({ s: -1 }) + END],
    ['has half a byte', HEAD + line({ s: 0.5 }) + END],
    ['has a size beyond numbers', `${HEAD}{"k":"a","s":1e400,"m":1,"e":""}\n${END}`],
    ['has a size as text', HEAD + line({ s: '1' }) + END],
    ['has a time beyond calendars', HEAD + line({ m: 1e300 }) + END],
    ['has a key that is a list', HEAD + line({ k: ['a'] }) + END],
    ['has an empty key', HEAD + line({ k: '' }) + END],
    ['has a key that is too long', HEAD + line({ k: 'x'.repeat(1025) }) + END],
    ['has a key that is too long as bytes', HEAD + line({ k: '\u20ac'.repeat(400) }) + END],
    ['has a key with half a surrogate', `${HEAD}{"k":"\\ud800","s":1,"m":1,"e":""}\n${END}`],
    ['has a key with a NUL', HEAD + line({ k: 'a\0b' }) + END],
    ['has an ETag that breaks a header', HEAD + line({ e: 'x"\r\nevil: 1' }) + END],
    ['has a hash that is none', HEAD + line({ h: 'abc' }) + END],
    ['repeats a key', HEAD + line({ k: 'b' }) + line({ k: 'b' }) + END],
    ['goes back', HEAD + line({ k: 'b' }) + line({ k: 'a' }) + END],
    ['names what is gone', `${HEAD}{"k":"a","x":1}\n${END}`],
    ['is only changes', `{"reset":false}\n${line({})}${END}`],
    ['has a line without an end', `${HEAD}{"k":"${'x'.repeat(1_000_000)}`],
    ['is nested deeply', `${HEAD}${'['.repeat(5000)}${']'.repeat(5000)}\n${END}`],
  ] as const)('a listing that %s is BAD_LISTING', async ([, body]) => {
    const source = await liar(body)
    await expect(collect(source.list({}))).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  test('a cursor that is too long is BAD_LISTING', async () => {
    const source = await liar(`${HEAD}{"cursor":"${'x'.repeat(201)}"}\n`)
    await expect(collect(source.list({}))).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  test('keys that lead elsewhere are keys like any other', async () => {
    const keys = ['../../etc/passwd', '/etc/passwd', 'a/../../b']
    const source = await liar(HEAD + keys.map((k) => line({ k })).join('') + END)
    expect((await collect(source.list({}))).flat().map(({ key }) => key)).toEqual(keys)
  })

  test('names of prototypes are nothing special', async () => {
    const source = await liar(`${HEAD}{"k":"a","s":1,"m":1,"e":"","__proto__":{"x":1,"h":"zz"}}\n${END}`)
    expect((await collect(source.list({}))).flat()).toMatchObject([{ key: 'a' }])
  })

  test('a listing byte by byte is read all the same', async () => {
    const text = HEAD + line({ k: '\u00fc' }) + line({ k: '\u{1F300}' }) + END
    const bytes = async function* (): AsyncGenerator<string, void> {
      for (const character of text) {
        yield character
        await setTimeout(1)
      }
    }
    const source = await liar(bytes())
    expect((await collect(source.list({}))).flat().map(({ key }) => key)).toEqual(['\u00fc', '\u{1F300}'])
  })

  test('a listing of millions is read in bounded memory, and can be left', { timeout: 1_200_000 }, async () => {
    const count = soak ? 10_000_000 : 300_000
    const endless = async function* (): AsyncGenerator<string, void> {
      yield HEAD
      for (let from = 0; ; from += 1000) {
        yield Array.from({ length: 1000 }, (_, index) =>
          line({ k: `data/model/variable/chunk_${String(from + index).padStart(12, '0')}.om` }),
        ).join('')
      }
    }
    const source = await liar(endless())
    await expectBounded(source.list({}), count)
  })

  const entry: FileEntry = { key: 'a', size: 3, modifiedMs: 1, etag: 'x' }
  const frame = (kind: number, count: number, bytes = ''): Buffer => {
    const head = Buffer.alloc(FRAME.headerBytes)
    head.writeUInt32LE(kind, 0)
    head.writeUInt32LE(count, 4)
    return Buffer.concat([head, Buffer.from(bytes)])
  }
  const end = frame(FRAME.end, 1)

  test.for([
    ['is empty', Buffer.alloc(0), 'UNREACHABLE'],
    ['is cut within the bytes', frame(FRAME.bytes, 3, 'ab'), 'UNREACHABLE'],
    ['is cut within what says nothing', frame(FRAME.absent, 30, 'ab'), 'UNREACHABLE'],
    ['says nothing at length', Buffer.concat([frame(FRAME.absent, 36, 'x'.repeat(30)), end]), 'BAD_LISTING'],
    ['is cut before its end', frame(FRAME.bytes, 3, 'abc'), 'UNREACHABLE'],
    ['is of another kind', Buffer.concat([frame(77, 3, 'abc'), end]), 'BAD_LISTING'],
    ['has other sizes', Buffer.concat([frame(FRAME.bytes, 2, 'ab'), end]), 'BAD_LISTING'],
    ['has four gigabytes', frame(FRAME.bytes, 0xffffffff), 'BAD_LISTING'],
    ['ends too early', frame(FRAME.end, 0), 'BAD_LISTING'],
    ['has another number of files', Buffer.concat([frame(FRAME.bytes, 3, 'abc'), frame(FRAME.end, 2)]), 'BAD_LISTING'],
    ['goes on after its end', Buffer.concat([frame(FRAME.bytes, 3, 'abc'), end, end]), 'BAD_LISTING'],
    ['is text', Buffer.from('<html><body>It works!</body></html>'), 'BAD_LISTING'],
  ] as const)('a batch that %s is refused', async ([, body, code]) => {
    const source = await liar(body)
    await expect(collect(source.peer.batch([entry]))).rejects.toMatchObject({ code })
  })

  test('hashes of another number of blocks are refused', async () => {
    const source = await liar(Buffer.alloc(BLOCKS.hashBytes * 2))
    const large = { ...entry, size: BLOCKS.large * 3 }
    await expect(source.peer.blocks(large, {})).rejects.toMatchObject({ code: 'BAD_LISTING' })
    await expect(source.peer.blocks(large, { within: [0] })).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  test.for([
    [401, 'UNAUTHENTICATED'],
    [403, 'FORBIDDEN'],
    [500, 'UNREACHABLE'],
    [503, 'UNREACHABLE'],
    [302, 'UNREACHABLE'],
  ] as const)('the status %i without a reason is %s', async ([status, code]) => {
    const source = await liar('<html>', status)
    await expect(collect(source.list({}))).rejects.toMatchObject({ code })
  })

  test('what is no Flotilla is told as that', async () => {
    const server = await serverThat((_, response) => response.end('hello'))
    const source = closing(openFlotillaSource({ server, tree: 't', nowMs }))
    await expect(collect(source.list({}))).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await expect(collect(source.peer.batch([entry]))).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })
})

describe.for(sources)('bytes of %s', ([, open]) => {
  const entry: FileEntry = { key: 'data/a', size: 10, modifiedMs: 1_790_000_000_000, etag: 'x' }
  const date = new Date(entry.modifiedMs).toUTCString()
  const good = { etag: '"x"', 'last-modified': date }

  test.for([
    ['fewer than announced', 200, { ...good, 'content-length': '10' }, '12345', 'UNREACHABLE'],
    ['fewer, not announced', 200, good, '12345', 'UNREACHABLE'],
    ['of a longer file', 200, { ...good, 'content-length': '12' }, '123456789012', 'CHANGED'],
    ['with another ETag', 200, { ...good, etag: '"y"', 'content-length': '10' }, '1234567890', 'CHANGED'],
    ['sent elsewhere', 302, { location: 'http://127.0.0.1:1/' }, '', 'UNREACHABLE'],
    ['refused', 403, {}, '', 'FORBIDDEN'],
    ['not known', 404, {}, '', 'NOT_FOUND'],
    ['too many', 429, {}, '', 'RATE_LIMITED'],
    ['in a bad moment', 503, {}, '', 'UNREACHABLE'],
  ] as const)('that are %s are none', async ([, status, headers, body, code]) => {
    const url = await serverThat((_, response) => {
      response.writeHead(status, headers)
      response.flushHeaders()
      response.write(body)
      setImmediate(() => (body.length === 5 && 'content-length' in headers ? response.destroy() : response.end()))
    })
    const source = closing(open(url))
    const read = async (): Promise<unknown> => buffer(await source.open(entry))
    await expect(read()).rejects.toMatchObject({ code })
  })

  test('of another part than was asked for are none, and of everything are cut to size', async () => {
    const whole = '0123456789'
    let answer: 'all' | 'other' | 'longer' = 'all'
    const url = await serverThat((request, response) => {
      const isHead = request.method === 'HEAD'
      if (answer === 'all' || isHead)
        response.writeHead(200, { ...good, 'content-length': '10' }).end(isHead ? '' : whole)
      else {
        const range = answer === 'other' ? 'bytes 1-3/10' : 'bytes 2-4/11'
        response.writeHead(206, { ...good, 'content-range': range, 'content-length': '3' }).end('123')
      }
    })
    const source = closing(open(url))
    const read = async (): Promise<string> => String(await buffer(await source.open(entry, { start: 2, end: 5 })))
    expect(await read()).toBe('234')
    answer = 'other'
    await expect(read()).rejects.toMatchObject({ code: 'UNREACHABLE' })
    answer = 'longer'
    await expect(read()).rejects.toMatchObject({ code: 'CHANGED' })
  })

  test('that come slowly, but come, are waited for', async () => {
    const url = await serverThat((_, response) => {
      response.writeHead(200, { ...good, 'content-length': '10' })
      const send = async (): Promise<void> => {
        for (const character of '0123456789') {
          response.write(character)
          await setTimeout(60)
        }
        response.end()
      }
      void send()
    })
    const source = closing(open(url))
    expect(String(await buffer(await source.open(entry)))).toBe('0123456789')
  })
})

describe('a server of Open-Meteo', () => {
  async function openMeteo(
    options: OpenMeteoServerOptions = {},
    apikey?: string,
  ): Promise<{ readonly server: OpenMeteoServer; readonly source: FileSource }> {
    const server = await openOpenMeteoServer(options)
    onTestFinished(async () => server.close())
    const secret = apikey === undefined ? {} : { apikey: new Secret(apikey) }
    return { server, source: closing(openOpenMeteoSource({ server: server.url, nowMs, ...secret })) }
  }

  const listed = (folder: string, inner: string, tail = '<IsTruncated>false</IsTruncated>'): string =>
    `<?xml version="1.0"?>\n<ListBucketResult><Name>openmeteo</Name><Prefix>${folder}</Prefix>${inner}${tail}</ListBucketResult>`
  const file = (key: string, size: number | string = 4, time = '2026-08-20T09:54:22.000Z'): string =>
    `<Contents><Key>${key}</Key><LastModified>${time}</LastModified><Size>${size}</Size></Contents>`
  const folder = (name: string): string => `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`
  const says = async (xml: string | ((prefix: string, url: URL) => string)): Promise<FileSource> => {
    const url = await serverThat((request, response) => {
      const asked = new URL(request.url ?? '', 'http://host')
      response.end(typeof xml === 'string' ? xml : xml(asked.searchParams.get('prefix') ?? '', asked))
    })
    return closing(openOpenMeteoSource({ server: url, nowMs }))
  }
  const list = async (source: FileSource, scope: ListScope = { prefixes: ['data/'] }): Promise<FileEntry[]> =>
    (await collect(source.list(scope))).flat()

  test.for([
    ['is empty', ''],
    ['is a page of HTML', '<html></html>'],
    ['is cut short', listed('data/', file('data/a')).slice(0, -10)],
    ['is cut within a file', listed('data/', file('data/a')).slice(0, -120)],
    ['goes on, but not where', listed('data/', file('data/a'), '<IsTruncated>true</IsTruncated>')],
    ['names files elsewhere', listed('data/', file('other/a'))],
    ['names files above', listed('data/', file('../etc/passwd'))],
    ['names files further below', listed('data/', file('data/a/b'))],
    ['names folders elsewhere', listed('data/', folder('other/'))],
    ['names itself as a folder', listed('data/', folder('data/'))],
    ['names folders without an end', listed('data/', folder('data/a'))],
    ['names folders further below', listed('data/', folder('data/a/b/'))],
    ['has a negative size', listed('data/', file('data/a', -5))],
    ['has no size', listed('data/', file('data/a', ''))],
    ['has a size that is too large', listed('data/', file('data/a', '99999999999999999'))],
    ['has another time', listed('data/', file('data/a', 4, 'yesterday'))],
    ['has no key', listed('data/', '<Contents><Size>1</Size></Contents>')],
    ['has an endless element', listed('data/', `<Contents><Key>${'x'.repeat(100_000)}`)],
    ['has an endless head', listed('data/', 'x'.repeat(100_000))],
  ] as const)('a listing that %s is BAD_LISTING', async ([, xml]) => {
    await expect(list(await says(xml))).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  test('a listing that goes in circles is BAD_LISTING', async () => {
    const tail = (token: string): string =>
      `<IsTruncated>true</IsTruncated><NextContinuationToken>${token}</NextContinuationToken>`
    const tokens: Record<string, string> = { '': 'a', a: 'b', b: 'a' }
    const source = await says((prefix, url) =>
      listed(prefix, file(`${prefix}f`), tail(tokens[url.searchParams.get('continuation-token') ?? ''] ?? '')),
    )
    await expect(list(source)).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  test('folders in folders without end are BAD_LISTING', async () => {
    const source = await says((prefix) => listed(prefix, folder(`${prefix}deeper-and-deeper/`)))
    await expect(list(source)).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  test('pages are followed, keys may be written without escapes, times with and without fractions', async () => {
    const source = await says((prefix, url) => {
      const token = url.searchParams.get('continuation-token')
      const goesOn = '<IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b+/=</NextContinuationToken>'
      if (token === null) return listed(prefix, file('data/x&y.om', 4, '2026-08-20T09:54:22Z'), goesOn)
      return token === 'a&b+/=' ? listed(prefix, file('data/z&amp;&#x41;.om')) : ''
    })
    const entries = await list(source)
    expect(entries.map(({ key }) => key)).toEqual(['data/x&y.om', 'data/z&A.om'])
    expect(entries.map(({ modifiedMs }) => modifiedMs)).toEqual(Array(2).fill(Date.UTC(2026, 7, 20, 9, 54, 22)))
  })

  test('a file that is replaced between two parts of it is CHANGED, not mixed', async () => {
    for (const [at, modifiedMs] of [
      [3, 1_790_000_100_000],
      [4, 1_790_000_001_000],
    ] as const) {
      let requests = 0
      const { server, source } = await openMeteo({
        meddle: (request) => {
          if (request.url?.includes('list-type') !== true && ++requests === at) {
            server.files.set(KEY, { bytes: Buffer.alloc(content.byteLength, 7), modifiedMs })
          }
          return false
        },
      })
      server.files.set(KEY, { bytes: content, modifiedMs: 1_790_000_000_000 })
      const [entry] = await list(source)
      const read = async (): Promise<unknown> => buffer(await source.open(entry as FileEntry))
      await expect(read()).rejects.toMatchObject({ code: 'CHANGED' })
      const [again] = await list(source)
      expect((await buffer(await source.open(again as FileEntry))).equals(Buffer.alloc(content.byteLength, 7))).toBe(
        true,
      )
    }
  })

  test('a file of which parts are asked for one by one is CHANGED when it is replaced in between', async () => {
    const { server, source } = await openMeteo()
    server.files.set(KEY, { bytes: content, modifiedMs: 1_790_000_000_000 })
    const [entry] = (await list(source)) as [FileEntry]
    await buffer(await source.open(entry, { start: 0, end: 1_000_000 }))
    server.files.set(KEY, { bytes: Buffer.alloc(content.byteLength, 7), modifiedMs: 1_790_000_001_000 })
    const read = async (): Promise<unknown> => buffer(await source.open(entry, { start: 1_000_000, end: 2_000_000 }))
    await expect(read()).rejects.toMatchObject({ code: 'CHANGED' })
  })

  test('a file that is rewritten in place while it is read is CHANGED', async () => {
    const bytes = Buffer.alloc(3_000_000, 1)
    const { server, source } = await openMeteo({
      meddle: (request, response) => {
        if (request.method !== 'GET' || request.url?.includes('list-type') === true) return false
        const { modifiedMs } = server.files.get(KEY) ?? { modifiedMs: 0 }
        response.writeHead(200, { 'last-modified': new Date(modifiedMs).toUTCString(), 'content-length': 3_000_000 })
        response.write(bytes.subarray(0, 1_000_000))
        server.files.set(KEY, { bytes, modifiedMs: modifiedMs + 5000 })
        response.end(Buffer.alloc(2_000_000, 2))
        return true
      },
    })
    server.files.set(KEY, { bytes, modifiedMs: 1_790_000_000_000 })
    const [entry] = (await list(source)) as [FileEntry]
    const read = async (): Promise<unknown> => buffer(await source.open(entry))
    await expect(read()).rejects.toMatchObject({ code: 'CHANGED' })
  })

  test('a server that lists local times is understood', async () => {
    for (const zoneHours of [-8, 2, 5.75]) {
      const { server, source } = await openMeteo({ zoneHours })
      server.files.set(KEY, { bytes: Buffer.from('content'), modifiedMs: 1_790_000_000_700 })
      const [entry] = (await list(source)) as [FileEntry]
      expect(String(await buffer(await source.open(entry)))).toBe('content')
    }
  })

  test('a large file is asked for as its own client does', async () => {
    const { server, source } = await openMeteo({ apikey: 'key' }, 'key')
    server.files.set(KEY, { bytes: content, modifiedMs: 1_790_000_000_000 })
    const [entry] = (await list(source, { prefixes: ['data/icon/rain/'] })) as [FileEntry]
    expect(server.requests).toEqual([`GET /?list-type=2&delimiter=%2F&prefix=data%2Ficon%2Frain%2F&apikey=key`])
    await buffer(await source.open(entry))
    const one = `/${KEY}?apikey=key`
    expect(server.requests.slice(1)).toEqual([`HEAD ${one}`, `GET ${one}`, `GET ${one}`, `GET ${one}`, `HEAD ${one}`])
  })

  test('the key stands in no message, name or hint', async () => {
    const key = 'very-secret-key'
    const { server, source } = await openMeteo({ apikey: 'another' }, key)
    server.files.set(KEY, { bytes: content, modifiedMs: 1 })
    const failures = [
      await list(source).catch((error: unknown) => error),
      await source.open({ key: KEY, size: 3, modifiedMs: 1, etag: '' }).catch((error: unknown) => error),
    ]
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'UNAUTHENTICATED' })
      const { message, details } = failure as { message: string; details: object }
      expect(message).toContain('Invalid API key')
      expect(`${source.name} ${message} ${JSON.stringify(details)}`).not.toContain(key)
    }
  })

  test('a missing file, which it answers with 500, is NOT_FOUND', async () => {
    const { source } = await openMeteo()
    for (const size of [5, 20_000_000]) {
      const entry = { key: KEY, size, modifiedMs: 1_790_000_000_000, etag: '' }
      await expect(source.open(entry)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
  })

  test('a listing of millions is read in bounded memory, and can be left', { timeout: 1_200_000 }, async () => {
    const url = await serverThat((request, response) => {
      const { searchParams } = new URL(request.url ?? '', 'http://host')
      const page = Number(searchParams.get('continuation-token') ?? 0)
      const files = Array.from({ length: 1000 }, (_, index) => file(`data/f${page}_${index}`)).join('')
      const tail = `<IsTruncated>true</IsTruncated><NextContinuationToken>${page + 1}</NextContinuationToken>`
      response.end(listed('data/', files, tail))
    })
    const source = closing(openOpenMeteoSource({ server: url, nowMs }))
    const count = soak ? 10_000_000 : 100_000
    await expectBounded(source.list({ prefixes: ['data/'] }), count)
  })
})

test('waiting for changes ends when the network does', async () => {
  const tree = memoryTree('openmeteo')
  const server = await openFileServer({ trees: [tree], open: { openReads: true } })
  const wire = await openTcpProxy(server.url)
  onTestFinished(async () => wire.close())
  const source = closing(openFlotillaSource({ server: wire.url, tree: 'openmeteo', nowMs, silenceMs: 60_000 }))
  const pages = await collect(source.peer.changes({}))
  const waiting = collect(source.peer.changes({ since: pages.at(-1)?.cursor, waitMs: 60_000 }))
  while (server.server.figures.active < 1) await setTimeout(5)
  wire.cut()
  await expect(waiting).rejects.toMatchObject({ code: 'UNREACHABLE' })
  while (server.server.figures.active > 0) await setTimeout(5)
})
