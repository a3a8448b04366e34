import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { FlotillaError } from '../core/errors.ts'
import { HttpClient, readBody, wasNotSent } from './http.ts'

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function serve(listener: RequestListener): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}

function clientOf(url: string, silenceMs = 5000): HttpClient {
  const client = new HttpClient({ url, silenceMs })
  closers.push(() => client.close())
  return client
}

async function* parts(count: number): AsyncGenerator<Uint8Array, void> {
  for (let part = 0; part < count; part++) yield Buffer.alloc(10_000, part)
}

describe('an HTTP client', () => {
  it('joins its path to that of the base URL, and streams bodies both ways', async () => {
    const { url } = await serve((request, response) => {
      response.setHeader('x-target', `${request.method} ${request.url}`)
      request.pipe(response)
    })
    const answer = await clientOf(`${url}/base/`).send({ method: 'PUT', path: '/v1/x?y=1', body: parts(50) })
    expect(answer.headers['x-target']).toBe('PUT /base/v1/x?y=1')
    expect((await readBody(answer, 1_000_000)).byteLength).toBe(500_000)
  })

  it('says that nothing listens, and that a name is not known', async () => {
    const { url, server } = await serve(() => undefined)
    await new Promise((resolve) => server.close(resolve))
    const code = 'UNREACHABLE'
    await expect(clientOf(url).send({ method: 'GET', path: '/' })).rejects.toMatchObject({
      code,
      message: `${url}: nothing listens there`,
    })
    await expect(clientOf('http://no-such-host.invalid').send({ method: 'GET', path: '/' })).rejects.toMatchObject({
      code,
    })
  })

  it('counts a silent other side as gone, while connecting, waiting and reading', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/begun') response.write('x')
    })
    const client = clientOf(url, 100)
    await expect(client.send({ method: 'GET', path: '/mute' })).rejects.toMatchObject({ code: 'UNREACHABLE' })
    const begun = await client.send({ method: 'GET', path: '/begun' })
    await expect(readBody(begun, 100)).rejects.toThrow('aborted')
  })

  it('rejects with the reason of its signal, before, while waiting and while reading', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/begun') response.write('x')
    })
    const client = clientOf(url)
    const reason = new Error('no longer wanted')
    const send = (path: string, signal: AbortSignal) => client.send({ method: 'POST', path, signal })
    await expect(send('/mute', AbortSignal.abort(reason))).rejects.toBe(reason)
    const waiting = new AbortController()
    const mute = send('/mute', waiting.signal)
    waiting.abort(reason)
    await expect(mute).rejects.toBe(reason)
    const reading = new AbortController()
    const begun = await send('/begun', reading.signal)
    const body = readBody(begun, 100)
    reading.abort(reason)
    await expect(body).rejects.toThrow()
  })

  it('does not follow a redirect', async () => {
    let hits = 0
    const { url } = await serve((_request, response) => {
      hits += 1
      response.writeHead(302, { location: '/elsewhere' }).end()
    })
    const answer = await clientOf(url).send({ method: 'GET', path: '/', headers: { authorization: 'Bearer x' } })
    answer.resume()
    expect([answer.statusCode, hits]).toEqual([302, 1])
  })

  it('asks once more after a kept connection was closed, but only what changes nothing', async () => {
    const seen: string[] = []
    let kill = false
    const { url } = await serve((request, response) => {
      seen.push(request.method ?? '')
      if (kill) {
        kill = false
        request.socket.destroy()
      } else response.end('ok')
    })
    const client = clientOf(url)
    const ask = async (method: 'GET' | 'POST', ifLost?: string): Promise<void> => {
      const answer = await client.send({ method, path: '/', ...(ifLost !== undefined && { ifLost }) })
      await readBody(answer, 100)
    }
    await ask('GET')
    kill = true
    await ask('GET')
    expect(seen).toEqual(['GET', 'GET', 'GET'])
    kill = true
    await expect(ask('POST', 'look first')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      details: { hint: 'look first' },
    })
    expect(seen).toEqual(['GET', 'GET', 'GET', 'POST'])
  })

  it('does not say that nothing was sent where the first of two tries may have been carried out', async () => {
    let kill = false
    const { url, server } = await serve((request, response) => {
      if (kill) {
        server.close()
        request.socket.destroy()
      } else response.end('ok')
    })
    const client = clientOf(url)
    const ask = () => client.send({ method: 'POST', path: '/', isRepeatable: true, ifLost: 'look first' })
    await readBody(await ask(), 100)
    kill = true
    const lost = await ask().catch((error: unknown) => error)
    expect(lost).toMatchObject({ message: `${url}: nothing listens there`, details: { hint: 'look first' } })
    expect(wasNotSent(lost as FlotillaError)).toBe(false)
    const refused = await ask().catch((error: unknown) => error)
    expect(refused).toMatchObject({ details: { hint: 'Check that it runs and that the address is right.' } })
    expect(wasNotSent(refused as FlotillaError)).toBe(true)
  })

  it('survives a server that answers and closes before it has read the body', async () => {
    const { url } = await serve((request, response) => {
      response.writeHead(413, { connection: 'close' }).end('too large')
      request.resume()
    })
    const answer = await clientOf(url).send({ method: 'PUT', path: '/', body: parts(Number.POSITIVE_INFINITY) })
    expect(answer.statusCode).toBe(413)
    answer.destroy()
  })

  it('refuses bodies over the limit of the reader', async () => {
    const { url } = await serve((_request, response) => response.end('x'.repeat(1000)))
    const answer = await clientOf(url).send({ method: 'GET', path: '/' })
    await expect(readBody(answer, 999)).rejects.toMatchObject({ code: 'TOO_LARGE' })
  })

  it('says that something that is no HTTP server does not answer', async () => {
    const server = createTcpServer((socket) => socket.end('SSH-2.0-nothing\r\n'))
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    closers.push(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await expect(clientOf(url).send({ method: 'GET', path: '/' })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  })

  it('refuses base URLs that are none, or hold credentials', () => {
    for (const url of ['hub', 'ftp://x', 'http://u:p@x', 'http://x/?token=1', 'http://x/#a']) {
      expect(() => new HttpClient({ url, silenceMs: 1 })).toThrow(expect.objectContaining({ code: 'USAGE' }))
    }
    expect(new HttpClient({ url: 'http://[::1]:80/a/', silenceMs: 1 }).url).toBe('http://[::1]/a')
  })
})
