import { once } from 'node:events'
import { createServer, type Http2Server, type Http2Session, type ServerHttp2Stream, type Settings } from 'node:http2'
import { createServer as createPlain, type AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { openTcpProxy } from '../../../test/helpers/tcp-proxy.ts'
import { EtcdFailure, STATUS } from './etcd-errors.ts'
import { framed, Lane } from './lane.ts'

type OnCall = (stream: ServerHttp2Stream, message: Buffer, call: number) => void

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean()
})

/** The other side is Node's own HTTP/2. `onCall` is told of a call once its message is there, and of which one it is. */
async function serve(onCall: OnCall, settings: Settings = {}) {
  const server = createServer({ settings })
  const sessions: Http2Session[] = []
  let calls = 0
  server.on('session', (session) => sessions.push(session))
  server.on('stream', (stream) => {
    const call = calls++
    const chunks: Buffer[] = []
    stream.on('error', () => undefined)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => onCall(stream, Buffer.concat(chunks).subarray(5), call))
  })
  await listening(server)
  cleanups.push(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sessions, calls: () => calls }
}

async function listening(server: Http2Server | ReturnType<typeof createPlain>): Promise<void> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
}

/** As etcd answers: headers, a message, trailers. */
function answer(stream: ServerHttp2Stream, message: Uint8Array): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': '' }))
  stream.end(framed(message))
}

function open(url: string) {
  const ends: EtcdFailure[] = []
  const lane = new Lane({ url, tls: {}, onHeard: () => undefined, onEnd: (failure) => ends.push(failure) })
  cleanups.push(() => lane.close())
  const begin = (message: Uint8Array) => {
    let cancel = (): void => undefined
    const answered = new Promise<Buffer>((resolve, reject) => {
      cancel = lane.ask({ path: '/a.B/C', metadata: { hasleader: 'true' }, message }, (answer) => {
        if (answer instanceof EtcdFailure) reject(answer)
        else resolve(answer)
      })
    })
    answered.catch(() => undefined)
    return { answered, cancel }
  }
  return { lane, ends, begin, ask: (message: Uint8Array) => begin(message).answered }
}

const SMALL = Buffer.from('small')

describe('a lane', () => {
  test('gives each of many calls its own answer, in whatever order they come', async () => {
    const waiting: (() => void)[] = []
    const server = await serve((stream, message) => {
      waiting.push(() => answer(stream, message))
      if (waiting.length === 100) for (const one of waiting.toReversed()) one()
    })
    const { ask } = open(server.url)
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(Buffer.from(`call ${index}`))))
    expect(answers.map(String)).toEqual(Array.from({ length: 100 }, (_, index) => `call ${index}`))
  })

  test('sends no more than the other side takes, and takes answers of any length', async () => {
    const server = await serve((stream, message) => answer(stream, message), { initialWindowSize: 1000 })
    const { ask } = open(server.url)
    const large = Array.from({ length: 5 }, (_, index) => Buffer.alloc(4 * 1024 * 1024 + index, index))
    const answers = await Promise.all([...large, SMALL].map(ask))
    for (const [index, message] of [...large, SMALL].entries()) expect(answers[index]?.equals(message)).toBe(true)
  })

  test('has no more calls under way than the other side takes', async () => {
    const waiting: (() => void)[] = []
    const server = await serve((stream, message) => waiting.push(() => answer(stream, message)), {
      maxConcurrentStreams: 2,
    })
    const { ask } = open(server.url)
    // How many it takes is known once something was heard of it.
    const first = ask(SMALL)
    await expect.poll(() => waiting.length).toBe(1)
    const rest = Array.from({ length: 5 }, async () => await ask(SMALL))
    await expect.poll(() => waiting.length).toBe(2)
    expect(server.calls()).toBe(2)
    for (let index = 0; index < 6; index++) {
      await expect.poll(() => waiting.length).toBeGreaterThan(index)
      waiting[index]?.()
    }
    expect((await Promise.all([first, ...rest])).map(String)).toEqual(Array.from({ length: 6 }, () => 'small'))
  })

  test('says what the other side says went wrong, and goes on', async () => {
    const server = await serve((stream, message, call) => {
      if (call > 0) answer(stream, message)
      else
        stream.respond(
          { ':status': 200, 'grpc-status': '14', 'grpc-message': 'etcdserver: 100%25 gone' },
          { endStream: true },
        )
    })
    const { ask } = open(server.url)
    await expect(ask(SMALL)).rejects.toMatchObject({ status: 14, message: 'etcdserver: 100% gone', hadNoEffect: false })
    expect(String(await ask(SMALL))).toBe('small')
  })

  test('takes a call back that is given up, and the others go on', async () => {
    const reset = Promise.withResolvers<void>()
    const server = await serve((stream, message, call) => {
      if (call === 0) stream.once('close', () => reset.resolve())
      else answer(stream, message)
    })
    const { begin, ask } = open(server.url)
    const given = begin(SMALL)
    await expect.poll(server.calls).toBe(1)
    given.cancel()
    await expect(given.answered).rejects.toMatchObject({ hadNoEffect: false })
    await reset.promise
    expect(String(await ask(SMALL))).toBe('small')
  })
})

describe('where nobody reads what is sent', () => {
  const LARGE = Buffer.alloc(16 * 1024 * 1024)

  test('an answer is one nevertheless, and the next call is answered', async () => {
    const server = createServer()
    server.on('stream', (stream) => {
      stream.on('error', () => undefined)
      stream.once('data', () => {
        stream.pause()
        stream.respond({ ':status': 200, 'grpc-status': '8', 'grpc-message': 'too large' }, { endStream: true })
      })
    })
    await listening(server)
    cleanups.push(() => server.close())
    const { ask } = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await expect(ask(LARGE)).rejects.toMatchObject({ status: STATUS.RESOURCE_EXHAUSTED })
    await expect(ask(SMALL)).rejects.toMatchObject({ status: STATUS.RESOURCE_EXHAUSTED })
  })

  test('a call is over when it is given up, and all is when the connection is closed', async () => {
    const server = await serve((stream, message) => answer(stream, message), { initialWindowSize: LARGE.length })
    const wire = await openTcpProxy(server.url)
    cleanups.push(() => void wire.close())
    const { lane, ends, begin, ask } = open(wire.url)
    await ask(SMALL)
    server.sessions[0]?.setLocalWindowSize(4 * LARGE.length)
    await ask(SMALL)
    wire.clog()
    const [given, other] = [begin(LARGE), begin(LARGE)]
    // Until nothing more fits in between.
    for (let turn = 0; turn < 100; turn++) await setImmediate()
    given.cancel()
    await expect(given.answered).rejects.toMatchObject({ hadNoEffect: false })
    lane.close()
    await expect(other.answered).rejects.toMatchObject({ hadNoEffect: false })
    await expect.poll(() => ends.length).toBe(1)
  })
})

describe('of calls under way when', () => {
  test('the other side ends the connection, nobody knows what became of those that it has seen, and the others had no effect', async () => {
    let seen = 0
    const server = await serve(() => seen++, { maxConcurrentStreams: 3 })
    const { ask, ends } = open(server.url)
    const first = ask(SMALL)
    await expect.poll(() => seen).toBe(1)
    const calls = [first, ...Array.from({ length: 4 }, async () => await ask(SMALL))]
    await expect.poll(() => seen).toBe(3)
    server.sessions[0]?.destroy()
    const failures = (await Promise.allSettled(calls)).map(
      (one) => (one as PromiseRejectedResult).reason as EtcdFailure,
    )
    expect(failures.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => STATUS.UNAVAILABLE))
    expect(failures.map(({ hadNoEffect }) => hadNoEffect)).toEqual([false, false, false, true, true])
    await expect(ask(SMALL)).rejects.toMatchObject({ status: STATUS.UNAVAILABLE, hadNoEffect: true })
    await expect.poll(() => ends.length).toBe(1)
    await expect(ask(SMALL)).rejects.toMatchObject({ status: STATUS.UNAVAILABLE, hadNoEffect: true })
  })

  test('the wire is cut, nobody knows what became of any', async () => {
    let seen = 0
    const server = await serve(() => seen++)
    const wire = await openTcpProxy(server.url)
    cleanups.push(() => void wire.close())
    const { ask, ends } = open(wire.url)
    const calls = Array.from({ length: 3 }, async () => await ask(SMALL))
    await expect.poll(() => seen).toBe(3)
    wire.cut()
    const unknown = { status: 'rejected', reason: { status: STATUS.UNAVAILABLE, hadNoEffect: false } }
    expect(await Promise.allSettled(calls)).toMatchObject([unknown, unknown, unknown])
    await expect.poll(() => ends.length).toBe(1)
  })

  test('the other side stops, those after the last that it has seen had no effect', async () => {
    let seen = 0
    const server = await serve(() => seen++)
    const { ask } = open(server.url)
    const calls = Array.from({ length: 3 }, async () => await ask(SMALL))
    await expect.poll(() => seen).toBe(3)
    server.sessions[0]?.goaway(0, 3)
    const failures = (await Promise.allSettled(calls)).map(
      (one) => (one as PromiseRejectedResult).reason as EtcdFailure,
    )
    expect(failures.map(({ hadNoEffect }) => hadNoEffect)).toEqual([false, false, true])
  })

  test('one is refused, only it fails, and had no effect', async () => {
    const REFUSED = 7
    const server = await serve((stream, message, call) =>
      call === 1 ? stream.close(REFUSED) : answer(stream, message),
    )
    const { ask } = open(server.url)
    const [first, refused, last] = await Promise.allSettled([ask(SMALL), ask(SMALL), ask(SMALL)])
    expect([first?.status, last?.status]).toEqual(['fulfilled', 'fulfilled'])
    expect((refused as PromiseRejectedResult).reason).toMatchObject({ status: STATUS.UNAVAILABLE, hadNoEffect: true })
  })

  test('an answer ends before its message does, nobody knows', async () => {
    const server = await serve((stream, message) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
      stream.end(framed(message).subarray(0, 7))
    })
    await expect(open(server.url).ask(SMALL)).rejects.toMatchObject({
      status: STATUS.UNAVAILABLE,
      hadNoEffect: false,
    })
  })
})

describe('where there is no etcd', () => {
  test('nothing listens, and a call had no effect', async () => {
    const server = createPlain()
    await listening(server)
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    await expect(open(`http://127.0.0.1:${port}`).ask(SMALL)).rejects.toMatchObject({
      status: STATUS.UNAVAILABLE,
      hadNoEffect: true,
    })
  })

  test('something else answers, and that is said', async () => {
    const server = createPlain(
      (socket) => void socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n'),
    )
    await listening(server)
    cleanups.push(() => server.close())
    const { port } = server.address() as AddressInfo
    await expect(open(`http://127.0.0.1:${port}`).ask(SMALL)).rejects.toMatchObject({ status: STATUS.UNAVAILABLE })
  })
})
