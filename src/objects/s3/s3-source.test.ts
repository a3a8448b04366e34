import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { compareKeys, type FileEntry } from '../../core/files/entry.ts'
import type { FileSource, ListScope } from '../../core/files/source.ts'
import { xmlDocument } from '../../lib/s3/xml-write.ts'
import { uriEncodePath } from '../../lib/s3/target.ts'
import { Secret } from '../../lib/secret.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { parseS3Url } from './location.ts'
import { openS3Source, type S3SourceOptions } from './s3-source.ts'

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void

interface Service {
  readonly url: string
  readonly requests: { readonly url: string; readonly headers: IncomingMessage['headers'] }[]
}

async function serve(answer: Answer): Promise<Service> {
  const requests: Service['requests'] = []
  const server = createServer((request, response) => {
    requests.push({ url: request.url ?? '', headers: request.headers })
    answer(request, response, new URL(request.url ?? '', 'http://x'))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

function open(url: string, more: Partial<S3SourceOptions> = {}): FileSource {
  const source = openS3Source({ ...parseS3Url(`${url}/bucket`), clock: systemClock, silenceMs: 5000, ...more })
  onTestFinished(async () => source.close())
  return source
}

async function keysOf(source: FileSource, scope: ListScope = {}): Promise<string[]> {
  const keys: string[] = []
  for await (const page of source.list(scope)) keys.push(...page.map(({ key }) => key))
  return keys
}

const TIME = '2026-11-21T12:00:00.000Z'
const contents = (key: string): object => ({ Key: key, LastModified: TIME, ETag: '"e"', Size: 1 })

/** Lists keys as `ListObjectsV2` does, `pageKeys` at once, or as the first version. */
function lister(keys: readonly string[], pageKeys: number, version: 1 | 2 | 'ignores 2' = 2): Answer {
  const sorted = keys.toSorted(compareKeys)
  return (_, response, { searchParams: query }) => {
    if (version === 1 && query.has('list-type')) {
      response.writeHead(501).end('<Error><Code>NotImplemented</Code></Error>')
      return
    }
    const [prefix, delimiter] = [query.get('prefix') ?? '', query.get('delimiter') ?? '']
    const token = query.get('continuation-token')
    const after = token === null ? (query.get('start-after') ?? query.get('marker') ?? '') : token.slice(1)
    const from = sorted.filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0)
    const [objects, folders] = [[] as string[], new Set<string>()]
    for (const key of from) {
      const slash = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
      if (slash === -1) objects.push(key)
      else folders.add(key.slice(0, slash + 1))
    }
    const page = objects.slice(0, pageKeys)
    const isTruncated = objects.length > pageKeys
    const encoded = (text: string): string => uriEncodePath(text).replaceAll('%20', '+')
    const more = {
      KeyCount: page.length + folders.size,
      ...(isTruncated && { NextContinuationToken: `t${page.at(-1)}` }),
    }
    response.end(
      xmlDocument('ListBucketResult', {
        Name: 'bucket',
        IsTruncated: isTruncated,
        ...(version === 2 && more),
        Contents: page.map((key) => contents(encoded(key)) as never),
        CommonPrefixes: [...folders].map((folder) => ({ Prefix: encoded(folder) })),
        EncodingType: 'url',
      }),
    )
  }
}

const part = fc.constantFrom('a', 'b', 'a b', 'a+b', 'ü', '%2F', '\u{1F300}', '\uffff', 'a-', 'a.', '0')
const keys = fc.uniqueArray(
  fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
  { maxLength: 60 },
)

describe('a listing of a bucket', () => {
  it('is whole and in order, by either version, page by page or in pieces, for any prefixes', async () => {
    const prefixes = fc.option(
      fc.array(fc.constantFrom('', 'a', 'a/', 'b/', 'a b/a', 'ü/', '\u{1F300}'), { maxLength: 4 }),
      { nil: undefined },
    )
    const form = fc.record({
      version: fc.constantFrom(1, 2, 'ignores 2'),
      slowMs: fc.constantFrom(0, 1e9),
      listings: fc.integer({ min: 1, max: 4 }),
    })
    let answer: Answer = lister([], 1)
    const { url } = await serve((request, response, at) => answer(request, response, at))
    await fc.assert(
      fc.asyncProperty(
        keys,
        prefixes,
        fc.integer({ min: 1, max: 9 }),
        form,
        async (keys, prefixes, pageKeys, { version, ...more }) => {
          answer = lister(keys, pageKeys, version as 1 | 2 | 'ignores 2')
          const source = openS3Source({ ...parseS3Url(`${url}/bucket`), clock: systemClock, ...more })
          const wanted = keys.filter((key) => (prefixes ?? ['']).some((prefix) => key.startsWith(prefix)))
          try {
            expect(await keysOf(source, prefixes === undefined ? {} : { prefixes })).toEqual(
              wanted.toSorted(compareKeys),
            )
          } finally {
            await source.close()
          }
        },
      ),
      { numRuns: process.env['FLOTILLA_SOAK'] === '1' ? 5000 : 60 },
    )
  })

  it('leaves out the markers of folders', async () => {
    const xml = (Key: string, Size: number): object => ({ ...contents(Key), Size })
    const Contents = [xml('a/', 0), xml('a/b', 0), xml('c/', 3)] as never[]
    const { url } = await serve((_, response) =>
      response.end(xmlDocument('ListBucketResult', { IsTruncated: false, Contents })),
    )
    expect(await keysOf(open(url))).toEqual(['a/b', 'c/'])
  })

  it('does not page through folders that are not to be entered', async () => {
    const many = Array.from({ length: 500 }, (_, index) => `a/old/${String(index).padStart(3, '0')}`)
    const { url, requests } = await serve(lister([...many, 'a/new/1', 'a/z', 'b'], 10))
    const listed = await keysOf(open(url), { enters: (folder) => folder !== 'a/old/' })
    expect(listed.filter((key) => !key.startsWith('a/old/'))).toEqual(['a/new/1', 'a/z', 'b'])
    expect(requests.length).toBeLessThan(5)
  })

  it('gives on what a service without pages sends before it has ended', async () => {
    const { url } = await serve((_, response) => {
      response.write('<ListBucketResult><IsTruncated>false</IsTruncated>')
      for (let index = 0; index < 12_000; index++) {
        response.write(
          `<Contents><Key>${String(index).padStart(6, '0')}</Key><Size>1</Size><LastModified>${TIME}</LastModified></Contents>`,
        )
      }
    })
    let count = 0
    for await (const page of open(url).list({})) {
      count += page.length
      if (count >= 10_000) break
    }
    expect(count).toBeGreaterThanOrEqual(10_000)
  })

  it('tells MD5 where the ETag is one, and ETags without quotes', async () => {
    const md5 = '0123456789abcdef0123456789abcdef'
    const etags = [`"${md5}"`, `"${md5}-7"`, 'W/"x"', '']
    const Contents = etags.map((ETag, index) => ({ Key: String(index), LastModified: TIME, ETag, Size: 1 }))
    const { url } = await serve((_, response) => response.end(xmlDocument('ListBucketResult', { Contents })))
    const entries: FileEntry[] = []
    for await (const page of open(url).list({})) entries.push(...page)
    expect(entries.map(({ etag, md5 }) => [etag, md5])).toEqual([
      [md5, md5],
      [`${md5}-7`, undefined],
      ['x', undefined],
      ['', undefined],
    ])
  })
})

describe('an ETag that looks like an MD5', () => {
  const md5 = '0123456789abcdef0123456789abcdef'
  const Contents = ['a', 'b'].map((Key) => ({ Key, LastModified: TIME, ETag: `"${md5}"`, Size: 1 }))

  it.each([
    ['is one', 200, {}, md5],
    ['is one where Amazon encrypts with its own key', 200, { 'x-amz-server-side-encryption': 'AES256' }, md5],
    ['is none where another key is used', 200, { 'x-amz-server-side-encryption': 'aws:kms' }, undefined],
    ['is not believed where it cannot be looked at', 403, {}, undefined],
  ] as const)('%s', async (_, status, headers, expected) => {
    const { url, requests } = await serve((request, response) => {
      if (request.method === 'HEAD') response.writeHead(status, headers).end()
      else response.end(xmlDocument('ListBucketResult', { Contents }))
    })
    const source = open(url, { isAws: true })
    for (let turn = 0; turn < 2; turn++) {
      for await (const page of source.list({})) expect(page.map(({ md5 }) => md5)).toEqual([expected, expected])
    }
    expect(requests.filter(({ url }) => url === '/bucket/a')).toHaveLength(1)
  })
})

describe('a listing that lies', () => {
  const page = (more: object, ...keys: readonly string[]): string =>
    xmlDocument('ListBucketResult', {
      Name: 'bucket',
      ...(more as Record<string, string>),
      Contents: keys.map((key) => contents(key) as never),
    })
  const more = { IsTruncated: 'true', NextContinuationToken: 't' }

  it.each([
    ['repeats its token', [page(more, 'a'), page(more, 'b'), page(more, 'c')]],
    ['repeats its keys', [page(more, 'a', 'b'), page({ ...more, NextContinuationToken: 'u' }, 'a', 'b')]],
    ['repeats a key', [page({}, 'a', 'a')]],
    ['is out of order', [page({}, 'b', 'a')]],
    ['is of another bucket', [page({ Name: 'other' }, 'a')]],
    ['says it has more keys than it has', [page({ KeyCount: '2' }, 'a')]],
    ['says it has fewer than none', [page({ KeyCount: '-1' }, 'a')]],
    ['goes on, but not where', [page({ IsTruncated: 'true', KeyCount: '1' }, 'a')]],
    ['is cut short', [page({}, 'a').slice(0, -20)]],
    ['is no listing', ['<html><body>Log in</body></html>']],
    ['is empty', ['']],
    ['has a key that is too long', [page({}, 'a'.repeat(1025))]],
    ['has a key that is empty', [page({}, '')]],
    ['has keys that are wrongly encoded', [page({ EncodingType: 'url' }, '%ff')]],
    ['has keys that were not asked for', [page({}, 'b')], { prefixes: ['a'] }],
    ['has more keys than can be meant', [page({}, ...Array.from('abcdefghijk'))]],
    [
      'is empty page after page',
      Array.from({ length: 1100 }, (_, index) => page({ ...more, NextContinuationToken: `${index}` })),
    ],
  ] as readonly [string, readonly string[], ListScope?][])('is refused: it %s', async (_, pages, scope = {}) => {
    let next = 0
    const { url } = await serve((_, response) => response.end(pages[Math.min(next++, pages.length - 1)]))
    await expect(keysOf(open(url, { keysMax: 10 }), scope)).rejects.toMatchObject({ code: 'BAD_LISTING' })
  })

  it('is believed in any order where that is expected', async () => {
    const { url } = await serve((_, response) => response.end(page({}, 'b', 'a')))
    const source = open(url, { isUnsorted: true })
    expect(source.sorted).toBe(false)
    expect(await keysOf(source)).toEqual(['b', 'a'])
  })
})

describe('a bucket that does not answer as it should', () => {
  const entry: FileEntry = { key: 'a b/ü', size: 5, modifiedMs: Date.parse(TIME), etag: 'e' }

  it.each([
    [301, 'UNREACHABLE'],
    [400, 'BAD_REQUEST'],
    [401, 'UNAUTHENTICATED'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [412, 'CHANGED'],
    [416, 'CHANGED'],
    [429, 'RATE_LIMITED'],
    [500, 'UNREACHABLE'],
    [503, 'UNREACHABLE'],
  ])('answers %d: %s', async (status, code) => {
    const { url } = await serve((_, response) =>
      response.writeHead(status, { 'retry-after': '7' }).end('<Error><Message>so\u001b</Message></Error>'),
    )
    const source = open(url)
    await expect(source.open(entry)).rejects.toMatchObject({ code })
    await expect(source.whole?.(entry)).rejects.toMatchObject({ code })
    if (status !== 412 && status !== 416) await expect(keysOf(source)).rejects.toMatchObject({ code })
    if (status === 429 || status === 503) {
      await expect(source.whole?.(entry)).rejects.toMatchObject({ details: { retryAfterMs: 7000 } })
    }
  })

  it.each([
    ['longer', { etag: '"e"', 'content-length': 6 }, 'hello!', 'CHANGED'],
    ['shorter', { etag: '"e"', 'content-length': 4 }, 'hell', 'CHANGED'],
    ['of another ETag', { etag: '"f"' }, 'hello', 'CHANGED'],
    ['shorter, without saying so', { etag: '"e"', 'transfer-encoding': 'chunked' }, 'hell', 'UNREACHABLE'],
    ['longer than any small file', { etag: '"e"', 'transfer-encoding': 'chunked' }, 'x'.repeat(2_000_000), 'CHANGED'],
  ])('sends a file that is %s', async (_, headers, body, code) => {
    const { url } = await serve((_, response) => response.writeHead(200, headers).end(body))
    const source = open(url)
    const whole = async (): Promise<unknown> => await source.whole?.(entry)
    const read = async (): Promise<unknown> => await buffer(await source.open(entry))
    await expect(whole()).rejects.toMatchObject({ code })
    if (body.length < 10) await expect(read()).rejects.toMatchObject({ code })
  })

  it('sends on to another host, where neither credentials nor anything else goes', async () => {
    const other = await serve((_, response) => response.end('hello'))
    const { url } = await serve((_, response) =>
      response.writeHead(307, { location: `${other.url}/x`, etag: '"e"' }).end(),
    )
    const credentials = { accessKey: 'AK', secret: new Secret('geheim') }
    const source = open(url, { credentials, apikey: new Secret('schluessel') })
    for (const failing of [source.open(entry), source.whole?.(entry), keysOf(source)]) {
      await expect(failing).rejects.toMatchObject({
        code: 'UNREACHABLE',
        details: { hint: expect.stringContaining(other.url) },
      })
    }
    expect(other.requests).toEqual([])
  })

  it('is signed for the region that it tells', async () => {
    const { url, requests } = await serve((request, response) => {
      const isRight = request.headers.authorization?.includes('/garage/s3/') === true
      if (isRight) response.writeHead(200, { etag: '"e"' }).end('hello')
      else
        response.writeHead(400).end('<Error><Code>AuthorizationHeaderMalformed</Code><Region>garage</Region></Error>')
    })
    const credentials = { accessKey: 'AK', secret: new Secret('geheim') }
    const source = open(url, { credentials })
    expect(String(await source.whole?.(entry))).toBe('hello')
    expect(String(await buffer(await source.open(entry)))).toBe('hello')
    expect(requests.length).toBe(3)
    expect(requests.every(({ headers }) => headers.authorization?.startsWith('AWS4-HMAC-SHA256 Credential=AK/'))).toBe(
      true,
    )
  })

  it('is not followed from region to region without end', async () => {
    let regions = 0
    const sockets = new Set<unknown>()
    const service = await serve((request, response) => {
      sockets.add(request.socket)
      response.writeHead(400, { 'x-amz-bucket-region': `region-${++regions}` }).end()
    })
    const source = open(service.url, { credentials: { accessKey: 'K', secret: new Secret('S') } })
    for (let turn = 0; turn < 20; turn++) await expect(keysOf(source)).rejects.toThrow('400')
    const signed = service.requests.map(({ headers }) => /region-\d+/.exec(headers.authorization ?? '')?.[0])
    expect(new Set(signed).size).toBe(3)
    expect(sockets.size).toBeLessThan(8)
  })

  it('is asked with the key of Open-Meteo, encoded', async () => {
    const { url, requests } = await serve((_, response) => response.writeHead(200, { etag: '"e"' }).end('hello'))
    await open(url, { apikey: new Secret('a&b') }).whole?.(entry)
    expect(requests[0]?.url).toBe('/bucket/a%20b/%C3%BC?apikey=a%26b')
    expect(requests[0]?.headers).toMatchObject({ 'if-match': '"e"' })
  })

  it('is left at once when told so, while waiting for a connection too', async () => {
    const { url } = await serve(() => undefined)
    const source = open(url, { connections: 1 })
    const controller = new AbortController()
    const waiting = [1, 2, 3].map(async () => source.whole?.(entry, { signal: controller.signal }))
    controller.abort(new Error('enough'))
    for (const one of waiting) await expect(one).rejects.toThrow('enough')
  })
})
