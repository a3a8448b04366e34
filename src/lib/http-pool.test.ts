import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { HttpPool, readAnswer } from './http-pool.ts'

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function poolTo(origin: string, silenceMs = 5000): HttpPool {
  const pool = new HttpPool({ origin, name: 'the other side', connections: 2, silenceMs })
  onTestFinished(async () => pool.close())
  return pool
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Answers the first `answers` requests of each connection, and closes it at the next one. */
async function forgetful(answers: number, connections: Socket[]): Promise<string> {
  const server = createTcpServer((socket) => {
    connections.push(socket)
    let requests = 0
    socket.on('error', () => undefined)
    socket.on('data', () => (++requests <= answers ? socket.write(OK) : socket.destroy()))
  })
  return await listening(server)
}

test('a request is sent once more when a kept connection turns out to be closed', async () => {
  const connections: Socket[] = []
  const pool = poolTo(await forgetful(1, connections))
  for (let index = 0; index < 3; index++) {
    const answer = await pool.send({ method: 'POST', path: '/', body: 'question' })
    expect(String(await readAnswer(answer, 10))).toBe('ok')
  }
  expect(connections).toHaveLength(3)
})

test('a request is not sent again and again to somebody who never answers', async () => {
  const connections: Socket[] = []
  const pool = poolTo(await forgetful(0, connections))
  await expect(pool.send({ method: 'GET', path: '/' })).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(connections).toHaveLength(1)
})

test('credentials do not follow to where an answer sends', async () => {
  const seen: string[] = []
  const url = await listening(
    createServer((request, response) => {
      seen.push(request.url ?? '')
      response.writeHead(302, { location: '/elsewhere' }).end()
    }),
  )
  const answer = await poolTo(url).send({ method: 'GET', path: '/', headers: { authorization: 'Bearer x' } })
  expect([answer.status, answer.header('location')]).toEqual([302, '/elsewhere'])
  await answer.discard()
  expect(seen).toEqual(['/'])
})

test('an answer that is too long is refused, and one that is not wanted can be left', async () => {
  const url = await listening(createServer((_, response) => response.end(Buffer.alloc(1_000_000))))
  const pool = poolTo(url)
  const answer = await pool.send({ method: 'GET', path: '/' })
  await expect(readAnswer(answer, 1000)).rejects.toMatchObject({ code: 'TOO_LARGE' })
  for (let index = 0; index < 5; index++) await (await pool.send({ method: 'GET', path: '/' })).discard()
  expect((await readAnswer(await pool.send({ method: 'GET', path: '/' }), 1_000_000)).byteLength).toBe(1_000_000)
})

test('giving up rejects with the reason, before, while waiting and within the answer', async () => {
  const url = await listening(
    createServer((request, response) => {
      if (request.url === '/within') response.writeHead(200).write('begun')
    }),
  )
  const pool = poolTo(url)
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(pool.send({ method: 'GET', path: '/', signal })).rejects.toThrow('enough')
  const waiting = new AbortController()
  const answer = pool.send({ method: 'GET', path: '/never', signal: waiting.signal })
  waiting.abort(new Error('enough'))
  await expect(answer).rejects.toThrow('enough')
  const within = new AbortController()
  const begun = await pool.send({ method: 'GET', path: '/within', signal: within.signal })
  const reading = readAnswer(begun, 1000)
  within.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
})

test.for([
  ['that does not listen', 'http://127.0.0.1:1', 'nothing listens there'],
  ['that is not known', 'http://no-such-host.invalid', 'not'],
] as const)('a host %s is UNREACHABLE, in words', async ([, origin, words]) => {
  const failure: unknown = await poolTo(origin)
    .send({ method: 'GET', path: '/' })
    .catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'UNREACHABLE' })
  expect(String(failure)).toContain(words)
})
