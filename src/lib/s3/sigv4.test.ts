import { createHash, createHmac } from 'node:crypto'
import { SignatureV4 } from '@smithy/signature-v4'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Secret } from '../secret.ts'
import { S3Error } from './errors.ts'
import { Signer } from './sign.ts'
import type { SignedRequest, Verified } from './signed-request.ts'
import { SignatureVerifier } from './sigv4.ts'
import { parseTarget, uriEncode, uriEncodePath } from './target.ts'

const ACCESS_KEY = 'AKIDEXAMPLE'
const SECRET = new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY')
const NOW = Date.UTC(2026, 10, 21, 12, 0, 0)
const RUNS = process.env['FLOTILLA_SOAK'] === '1' ? 20_000 : 300

class Sha256 {
  readonly #hash
  constructor(secret?: string | Uint8Array) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret)
  }
  update(data: Uint8Array | string): void {
    this.#hash.update(data)
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }
  reset(): void {}
}

/** The signer of Amazon's SDK. */
const oracle = (region: string): SignatureV4 =>
  new SignatureV4({
    service: 's3',
    region,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET.reveal() },
    sha256: Sha256 as never,
    uriEscapePath: false,
    applyChecksum: true,
  })

const verifier = new SignatureVerifier((key) => (key === ACCESS_KEY ? SECRET : undefined))

interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
}

function verify({ method, url, headers }: Sent, nowMs = NOW, more: Partial<SignedRequest> = {}): Verified | undefined {
  return verifier.verify({ method, target: parseTarget(url), headers, nowMs, ...more })
}

function refusal(sent: Sent, nowMs = NOW): string {
  try {
    verify(sent, nowMs)
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
  return 'none'
}

const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).filter((text) => text.isWellFormed())
const key = fc.oneof(
  word,
  fc.constantFrom('a%2Fb', 'a+b c', '//x', '../..', './.', 'a?b=c&d', 'ü/\u2028', "!'()*", '~-._', '/'),
)
const headerValue = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/)
const request = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'DELETE'),
  key,
  query: fc.dictionary(
    fc.oneof(word, fc.constantFrom('list-type', 'prefix', 'uploads')),
    fc.oneof(word, fc.constant('')),
    {
      maxKeys: 4,
    },
  ),
  headers: fc.dictionary(
    fc.constantFrom('if-match', 'last-modified', 'range', 'x-amz-meta-mtime', 'content-type', 'x-amz-acl'),
    fc.oneof(headerValue, fc.constant('a   b  c')),
  ),
  region: fc.constantFrom('us-east-1', 'eu-west-1', 'garage', 'us-west-2'),
})

function urlOf(key: string, query: Record<string, unknown>): string {
  const parameters = Object.entries(query).map(([name, value]) => `${uriEncode(name)}=${uriEncode(String(value))}`)
  return `/bucket/${uriEncodePath(key)}${parameters.length === 0 ? '' : `?${parameters.join('&')}`}`
}

async function signedByOracle(one: typeof request extends fc.Arbitrary<infer T> ? T : never): Promise<Sent> {
  const signed = await oracle(one.region).sign(
    {
      method: one.method,
      protocol: 'http:',
      hostname: 'localhost',
      path: `/bucket/${uriEncodePath(one.key)}`,
      query: one.query,
      headers: { ...one.headers, host: 'localhost:9000' },
      body: 'content',
    },
    { signingDate: new Date(NOW) },
  )
  return { method: one.method, url: urlOf(one.key, one.query), headers: signed.headers }
}

describe('a signature in the header', () => {
  it("of Amazon's own signer holds for any key, query and headers", async () => {
    await fc.assert(
      fc.asyncProperty(request, async (one) => {
        const payload = { kind: 'sha256', sha256: createHash('sha256').update('content').digest('hex') }
        expect(verify(await signedByOracle(one))).toEqual({ accessKey: ACCESS_KEY, payload, hoisted: {} })
      }),
      { numRuns: RUNS },
    )
  })

  it("of our own signer is the one of Amazon's", async () => {
    await fc.assert(
      fc.asyncProperty(request, async (one) => {
        const theirs = await signedByOracle(one)
        const ours = new Signer({ accessKey: ACCESS_KEY, secret: SECRET }, one.region).sign({
          method: one.method,
          path: `/bucket/${uriEncodePath(one.key)}`,
          query: Object.entries(one.query),
          headers: { ...one.headers, host: 'localhost:9000' },
          payload: theirs.headers['x-amz-content-sha256'] ?? '',
          nowMs: NOW,
        })
        expect(ours['authorization']).toBe(theirs.headers['authorization'])
      }),
      { numRuns: RUNS },
    )
  })

  it('holds no more once anything that was signed is another', async () => {
    const tamper: readonly ((sent: Sent) => Sent)[] = [
      (sent) => ({ ...sent, method: sent.method === 'GET' ? 'PUT' : 'GET' }),
      (sent) => ({ ...sent, url: sent.url.replace('/bucket/', '/bucket2/') }),
      (sent) => ({ ...sent, url: sent.url.replace('/bucket/', '/bucket//') }),
      (sent) => ({ ...sent, url: sent.url.replace('/bucket/', '/bucket/./') }),
      (sent) => ({ ...sent, url: `${sent.url}${sent.url.includes('?') ? '&' : '?'}zz` }),
      (sent) => ({ ...sent, headers: { ...sent.headers, host: 'other' } }),
      (sent) => ({ ...sent, headers: { ...sent.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }),
      (sent) => ({ ...sent, headers: { ...sent.headers, 'x-amz-date': '20261121T120001Z' } }),
      (sent) => ({ ...sent, headers: { ...sent.headers, 'x-amz-copy-source': '/a/b' } }),
      (sent) => ({
        ...sent,
        headers: {
          ...sent.headers,
          authorization: (sent.headers['authorization'] ?? '').replace(/.$/, (last) => (last === '0' ? '1' : '0')),
        },
      }),
      (sent) => ({
        ...sent,
        headers: { ...sent.headers, authorization: (sent.headers['authorization'] ?? '').replace(ACCESS_KEY, 'OTHER') },
      }),
    ]
    await fc.assert(
      fc.asyncProperty(request, fc.constantFrom(...tamper), async (one, change) => {
        const sent = await signedByOracle(one)
        expect(['SignatureDoesNotMatch', 'AccessDenied', 'InvalidAccessKeyId']).toContain(refusal(change(sent)))
      }),
      { numRuns: RUNS },
    )
  })

  it('holds for headers that were sent apart, and for bytes that are no ASCII', () => {
    const headers = { host: 'h', 'x-amz-meta-a': 'b,c', 'x-amz-meta-b': Buffer.from('à ü').toString('latin1') }
    const sent = { method: 'GET', path: '/a', query: [], payload: 'UNSIGNED-PAYLOAD', nowMs: NOW }
    const signed = new Signer({ accessKey: ACCESS_KEY, secret: SECRET }, 'x').sign({ ...sent, headers })
    const distinct = Object.entries(signed).map(([name, value]) => [
      name,
      name === 'x-amz-meta-a' ? ['b', 'c'] : [value],
    ])
    const arrived: Record<string, string[]> = Object.fromEntries(distinct)
    expect(verifier.verify({ method: 'GET', target: parseTarget('/a'), headers: arrived, nowMs: NOW })).toMatchObject({
      payload: { kind: 'unsigned' },
    })
  })

  it('holds for a path that was sent otherwise than the rule has it, signed as sent or by the rule', () => {
    const signer = new Signer({ accessKey: ACCESS_KEY, secret: SECRET }, 'x')
    for (const url of ["/b/a+b(c)'!*", '/b/%61', '/b/a%2fb', '/b/a=b@c:d']) {
      for (const path of [url, uriEncodePath(parseTarget(url).path)]) {
        const what = { method: 'GET', query: [], headers: { host: 'h' }, payload: 'UNSIGNED-PAYLOAD', nowMs: NOW }
        expect(verify({ method: 'GET', url, headers: signer.sign({ ...what, path }) })?.accessKey).toBe(ACCESS_KEY)
      }
    }
  })

  it('is refused a quarter of an hour too early or late, and with the day of another scope', async () => {
    const sent = await signedByOracle({ method: 'GET', key: 'a', query: {}, headers: {}, region: 'garage' })
    for (const [minutes, code] of [
      [15, 'none'],
      [-15, 'none'],
      [15.1, 'RequestTimeTooSkewed'],
      [-15.1, 'RequestTimeTooSkewed'],
    ] as const) {
      expect(refusal(sent, NOW + minutes * 60_000)).toBe(code)
    }
    const authorization = (sent.headers['authorization'] ?? '').replace('/20261121/', '/20261120/')
    expect(refusal({ ...sent, headers: { ...sent.headers, authorization } })).toBe('AuthorizationHeaderMalformed')
  })

  it('is refused in a form that is none', async () => {
    const sent = await signedByOracle({ method: 'GET', key: 'a', query: {}, headers: {}, region: 'garage' })
    const good = sent.headers['authorization'] ?? ''
    const bad: readonly (readonly [string, string])[] = [
      ['AWS AKID:signature', 'InvalidRequest'],
      ['Bearer x', 'InvalidRequest'],
      ['AWS4-HMAC-SHA256 ', 'AuthorizationHeaderMalformed'],
      [good.replace('/s3/', '/ec2/'), 'AuthorizationHeaderMalformed'],
      [good.replace('host', 'HOST'), 'AuthorizationHeaderMalformed'],
      [good.replace(/host;?/, ''), 'AuthorizationHeaderMalformed'],
      [good.replace('host', 'host;gone'), 'SignatureDoesNotMatch'],
      [good.replace(/Signature=.*/, ''), 'AuthorizationHeaderMalformed'],
      [`${good}, Signature=${'0'.repeat(64)}`, 'AuthorizationHeaderMalformed'],
      [good.replace(/Signature=.*/, 'Signature=zz'), 'AuthorizationHeaderMalformed'],
    ]
    for (const [authorization, code] of bad) {
      expect([authorization, refusal({ ...sent, headers: { ...sent.headers, authorization } })]).toEqual([
        authorization,
        code,
      ])
    }
    const payload = {
      ...sent,
      headers: { ...sent.headers, 'x-amz-content-sha256': 'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD' },
    }
    expect(refusal(payload)).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...sent, url: '/bucket/a?X-Amz-Signature=x' })).toBe('InvalidArgument')
    expect(verify({ method: 'GET', url: '/bucket/a', headers: { host: 'h' } })).toBeUndefined()
  })

  it('tells the client what was signed, but no secret', async () => {
    const sent = await signedByOracle({ method: 'GET', key: 'a', query: {}, headers: {}, region: 'garage' })
    try {
      verify({ ...sent, method: 'PUT' })
      expect.unreachable()
    } catch (error) {
      const { elements } = error as S3Error
      expect(elements['CanonicalRequest']).toMatch(/^PUT\n\/bucket\/a\n/)
      expect(JSON.stringify(elements)).not.toContain(SECRET.reveal())
    }
  })
})

describe('a presigned URL', () => {
  async function presigned(
    expiresIn: number,
    one: { key: string; query: Record<string, string>; meta?: string },
  ): Promise<Sent> {
    const request = {
      method: 'GET',
      protocol: 'http:',
      hostname: 'localhost',
      path: `/bucket/${uriEncodePath(one.key)}`,
      query: one.query,
      headers: { host: 'localhost', ...(one.meta !== undefined && { 'x-amz-meta-a': one.meta }) },
      body: undefined,
    }
    const options = { expiresIn, signingDate: new Date(NOW), unhoistableHeaders: new Set<string>() }
    const unsigned = { ...request, headers: { ...request.headers, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }
    const signed = await oracle('us-east-1').presign(unsigned, options)
    return { method: 'GET', url: urlOf(one.key, signed.query ?? {}), headers: { host: 'localhost' } }
  }

  it("of Amazon's own signer holds, and tells what stands for headers", async () => {
    await fc.assert(
      fc.asyncProperty(key, word, async (key, value) => {
        const sent = await presigned(60, { key, query: { 'response-content-type': value }, meta: 'm' })
        expect(verify(sent)).toMatchObject({ payload: { kind: 'unsigned' }, hoisted: { 'x-amz-meta-a': 'm' } })
      }),
      { numRuns: RUNS },
    )
  })

  it('is refused before and after its time, changed, and with headers added', async () => {
    const sent = await presigned(60, { key: 'a', query: { b: 'c' } })
    expect(refusal(sent, NOW + 60_000)).toBe('none')
    expect(refusal(sent, NOW + 61_000)).toBe('AccessDenied')
    expect(refusal(sent, NOW - 16 * 60_000)).toBe('AccessDenied')
    expect(refusal({ ...sent, url: sent.url.replace('Expires=60', 'Expires=600') })).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...sent, url: sent.url.replace('b=c', 'b=d') })).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...sent, url: `${sent.url}&c=d` })).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...sent, url: `${sent.url}&X-Amz-Date=20261121T120000Z` })).toBe(
      'AuthorizationQueryParametersError',
    )
    expect(refusal({ ...sent, headers: { ...sent.headers, 'x-amz-acl': 'public-read' } })).toBe('AccessDenied')
    expect(refusal({ ...sent, headers: { ...sent.headers, 'x-amz-date': '20261121T120000Z' } })).toBe('AccessDenied')
    expect(refusal({ ...sent, method: 'PUT' })).toBe('SignatureDoesNotMatch')
  })

  it('is valid for one second to seven days', async () => {
    for (const seconds of [1, 604_800]) expect(refusal(await presigned(seconds, { key: 'a', query: {} }))).toBe('none')
    const sent = await presigned(60, { key: 'a', query: {} })
    for (const expires of ['0', '-1', '604801', '', '1e3', '60.5', '9'.repeat(30)]) {
      expect(refusal({ ...sent, url: sent.url.replace('Expires=60', `Expires=${expires}`) })).toBe(
        'AuthorizationQueryParametersError',
      )
    }
  })
})

describe('Signature Version 2 in the query', () => {
  const expires = String(NOW / 1000 + 3600)
  const signV2 = (text: string): string =>
    encodeURIComponent(createHmac('sha1', SECRET.reveal()).update(text).digest('base64'))
  const sent = (text: string, path: string, query = '', headers: Record<string, string> = {}): Sent => ({
    method: 'GET',
    url: `${path}?${query}AWSAccessKeyId=${ACCESS_KEY}&Signature=${signV2(text)}&Expires=${expires}`,
    headers: { host: 'h', ...headers },
  })

  it('holds with subresources, headers of Amazon and the bucket of the host', () => {
    expect(refusal(sent(`GET\n\n\n${expires}\n/b/k%20x`, '/b/k%20x'))).toBe('none')
    expect(
      refusal(
        sent(
          `GET\n\n\n${expires}\n/b/k?response-content-type=a b&versionId=null`,
          '/b/k',
          'versionId=null&x=y&response-content-type=a%20b&',
        ),
      ),
    ).toBe('none')
    expect(
      refusal(
        sent(`GET\nm\nt\n${expires}\nx-amz-a:1\nx-amz-b:2\n/b/k`, '/b/k', 'x-amz-b=2&', {
          'x-amz-a': '1',
          'content-md5': 'm',
          'content-type': 't',
        }),
      ),
    ).toBe('none')
    const virtual = sent(`GET\n\n\n${expires}\n/b/k`, '/k')
    expect(verify(virtual, NOW, { bucket: 'b' })?.accessKey).toBe(ACCESS_KEY)
  })

  it('is refused once expired, changed, or valid for more than a week', () => {
    const good = sent(`GET\n\n\n${expires}\n/b/k`, '/b/k')
    expect(refusal(good, NOW + 3_601_000)).toBe('AccessDenied')
    expect(refusal(good, NOW - 7 * 86_400_000)).toBe('AccessDenied')
    expect(refusal({ ...good, method: 'PUT' })).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...good, url: good.url.replace('/k', '/l') })).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...good, url: good.url.replace('?', '?uploads&') })).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...good, url: good.url.replace(ACCESS_KEY, 'X') })).toBe('InvalidAccessKeyId')
    expect(refusal({ ...good, headers: { host: 'h', 'x-amz-acl': 'x' } })).toBe('SignatureDoesNotMatch')
    expect(refusal({ ...good, url: good.url.replace(/Expires=\d+/, 'Expires=x') })).toBe('AccessDenied')
  })
})

describe('the target of a request', () => {
  it('is decoded once, and nothing in it is normalised', () => {
    expect(parseTarget('/a%252Fb//../%2F+%20?x=a+b%2B&&y&=z&x=').path).toBe('/a%2Fb//..//+ ')
    expect(parseTarget('/a?x=a+b%2B&&y&=z&x=').query).toEqual([
      ['x', 'a b+'],
      ['y', ''],
      ['', 'z'],
      ['x', ''],
    ])
    expect(parseTarget(`/${Buffer.from('ü').toString('latin1')}`)).toMatchObject({ rawPath: '/%C3%BC', path: '/ü' })
  })

  it('is refused where it is no path, or no UTF-8', () => {
    for (const url of ['', 'a', 'http://evil/x', '/%', '/%zz', '/%c0%ae', '/%ff', '/?a=%ff', '*']) {
      expect(() => parseTarget(url)).toThrow(expect.objectContaining({ code: 'InvalidURI' }))
    }
  })
})
