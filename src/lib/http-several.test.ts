import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { HttpOfSeveral } from './http-several.ts'
import { readBody } from './http.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** Answers its name; with `breaks`, breaks every connection once it has read the request. */
async function serve(
  name: string,
  breaks = false,
): Promise<{ readonly url: string; asked: number; stop(): Promise<void> }> {
  const server = createServer((request, answer) => {
    served.asked++
    request.resume().on('end', () => (breaks ? request.socket.destroy() : answer.end(name)))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  const served = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: 0,
    stop: async () => {
      servers.splice(servers.indexOf(server), 1)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return served
}

async function ask(http: HttpOfSeveral, method: 'GET' | 'POST' = 'GET', isRepeatable = false): Promise<string> {
  return (await readBody(await http.send({ method, path: '/', isRepeatable }), 100)).toString()
}

it('goes to the next one when one is gone, for whatever was not sent, and stays there', async () => {
  const [a, b] = [await serve('a'), await serve('b')]
  const http = new HttpOfSeveral({ url: `${a.url},${b.url}`, silenceMs: 5000 })
  expect(await ask(http, 'POST')).toBe('a')
  await a.stop()
  expect(await ask(http)).toBe('b')
  expect(await ask(http, 'POST')).toBe('b')
  expect(http.url).toBe(b.url)
  http.close()
})

it('sends nothing twice that may have been carried out, but asks another one the next time', async () => {
  const [a, b] = [await serve('a', true), await serve('b')]
  const http = new HttpOfSeveral({ url: `${a.url},${b.url}`, silenceMs: 5000 })
  await expect(ask(http, 'POST')).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect([a.asked, b.asked]).toEqual([1, 0])
  expect(await ask(http, 'POST')).toBe('b')
  http.close()
})

it('sends again what may be repeated, and says so when none answers', async () => {
  const [a, b] = [await serve('a', true), await serve('b')]
  const http = new HttpOfSeveral({ url: `${a.url},${b.url}`, silenceMs: 5000 })
  expect(await ask(http, 'POST', true)).toBe('b')
  await b.stop()
  await expect(ask(http)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  http.close()
})

it('tells of the one that may have carried it out, whichever was asked last', async () => {
  const [a, b] = [await serve('a', true), await serve('b')]
  await b.stop()
  const http = new HttpOfSeveral({ url: `${a.url},${b.url}`, silenceMs: 5000 })
  const request = { method: 'POST', path: '/', isRepeatable: true, ifLost: 'look first' } as const
  await expect(http.send(request)).rejects.toMatchObject({ details: { hint: 'look first' } })
  http.close()
})
