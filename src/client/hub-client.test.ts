import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import { API_HEADER } from '../core/api.ts'
import { Secret } from '../lib/secret.ts'
import { HubClient } from './hub-client.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

let hub: TestHub
beforeAll(async () => {
  hub = await openTestHub()
})
afterAll(() => hub.close())

/** A client of something that is not a hub. */
async function clientOf(listener: RequestListener): Promise<HubClient> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new HubClient({ url, token: new Secret('flt_secret'), silenceMs: 300 })
  closers.push(() => {
    client.close()
    server.closeAllConnections()
    server.close()
  })
  return client
}

describe("a hub's client", () => {
  it('throws the error that the hub answered: code, message, hint and problems', async () => {
    const error = await hub.client.rollback('datasets', { to: 7 }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ name: 'FlotillaError', code: 'NOT_FOUND' })
    const none = new HubClient({ url: hub.url })
    closers.push(() => none.close())
    await expect(none.whoami()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
      details: { hint: expect.stringContaining('Bearer') as string },
    })
  })

  it('says where nothing listens, and what to look at', async () => {
    const client = new HubClient({ url: 'http://127.0.0.1:9', token: hub.admin })
    closers.push(() => client.close())
    await expect(client.whoami()).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: 'http://127.0.0.1:9: nothing listens there',
      details: { hint: 'Check that it runs and that the address is right.' },
    })
  })

  it('knows when what answers is not a hub', async () => {
    const answers: readonly RequestListener[] = [
      (_request, response) => response.end('<html>hello</html>'),
      (_request, response) => response.writeHead(404).end('not here'),
      (_request, response) =>
        response.writeHead(502, { 'content-type': 'application/json' }).end('{"error":"bad gateway"}'),
      (_request, response) => response.writeHead(500).end('{"error":{"code":"MADE_UP","message":"x"}}'),
      (_request, response) => response.writeHead(301, { location: 'http://127.0.0.1:1/' }).end(),
      ...['{}', 'null', '[]', '5', '', '{"id":"t1","scopes":[]}'].map(
        (body): RequestListener =>
          (_request, response) =>
            response.setHeader('content-type', 'application/json').end(body),
      ),
    ]
    for (const answer of answers) {
      const client = await clientOf(answer)
      for (const call of [client.whoami(), client.forgetNode('n1'), client.ready()]) {
        await expect(call).rejects.toMatchObject({
          code: 'UNREACHABLE',
          message: expect.stringContaining('does not answer like a Flotilla hub') as string,
        })
      }
    }
  })

  it('says what answered in place of the hub, and where', async () => {
    const client = await clientOf((_request, response) => {
      response.writeHead(200, { server: 'nginx/1.25', 'content-type': 'text/html; charset=utf-8' }).end('<html>')
    })
    await expect(client.whoami()).rejects.toMatchObject({
      message: `${client.url} does not answer like a Flotilla hub: it answered 200, text/html, as nginx/1.25`,
      details: { hint: 'Check the address; a proxy in between may answer in its place.' },
    })
    const bare = await clientOf((_request, response) => response.writeHead(502, { server: 'x'.repeat(4000) }).end())
    await expect(bare.nodes()).rejects.toMatchObject({
      message: `${bare.url} does not answer like a Flotilla hub: it answered 502, as ${'x'.repeat(60)}`,
    })
  })

  it('does not say that a change failed when it only does not know', async () => {
    const client = await clientOf((request) => request.socket.destroy())
    for (const call of [
      client.rollback('datasets', { to: 1 }),
      client.putFile('datasets', 'a.xml', Buffer.from('x')),
      client.createToken({ label: 'x', scopes: [] }),
      client.forgetNode('n1'),
    ]) {
      await expect(call).rejects.toMatchObject({
        code: 'UNREACHABLE',
        details: { hint: expect.stringContaining('not known whether it was done') as string },
      })
    }
  })

  it('gives up on an answer that stands still or breaks off', async () => {
    const mute = await clientOf(() => undefined)
    await expect(mute.whoami()).rejects.toMatchObject({ code: 'UNREACHABLE' })
    const half = await clientOf((_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"id":')
    })
    await expect(half.whoami()).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  it('stops when it is told to, with the reason it was given', async () => {
    const client = await clientOf(() => undefined)
    const stop = new AbortController()
    const call = client.whoami({ signal: stop.signal })
    const reason = new Error('enough')
    stop.abort(reason)
    await expect(call).rejects.toBe(reason)
  })

  it('shows its token nowhere', async () => {
    const client = await clientOf((_request, response) => response.writeHead(500).end('no'))
    const error = await client.whoami().catch((caught: unknown) => caught)
    for (const thing of [client, error])
      expect(inspect(thing, { depth: 9, showHidden: true })).not.toContain('flt_secret')
  })

  it('encodes every part of a path', async () => {
    const seen: string[] = []
    const client = await clientOf((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      response.setHeader('content-type', 'application/json').setHeader(API_HEADER, 'v1').end('{}')
    })
    await client.why('a/b', '../é?x#y')
    await client.putFile('t', 'sub dir/ü.xml', Buffer.from(''), { message: 'a & b=c' })
    await client.history('t')
    expect(seen).toEqual([
      'GET /v1/trees/a%2Fb/datasets/..%2F%C3%A9%3Fx%23y/why',
      'PUT /v1/trees/t/files/sub%20dir/%C3%BC.xml?message=a%20%26%20b%3Dc',
      'GET /v1/trees/t/releases',
    ])
  })
})
