import { createServer, type RequestListener } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { PourPool } from './http-pour.ts'

async function serving(listener: RequestListener): Promise<{ pool: PourPool; connections: () => number }> {
  const server = createServer(listener)
  let connections = 0
  server.on('connection', () => (connections += 1))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return { pool: poolOf(server.address() as AddressInfo, () => server.close()), connections: () => connections }
}

async function speaking(talk: (socket: Socket) => void): Promise<PourPool> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => talk(socket))
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return poolOf(server.address() as AddressInfo, () => server.close())
}

function poolOf({ port }: AddressInfo, close: () => void): PourPool {
  const pool = new PourPool({ origin: `http://127.0.0.1:${port}`, name: 'the server', silenceMs: 5000 })
  onTestFinished(() => {
    pool.close()
    close()
  })
  return pool
}

const BYTES = Buffer.alloc(3_000_000)
for (let at = 0; at < BYTES.byteLength; at += 4) BYTES.writeUInt32LE(at, at)

function gather(): { chunks: Buffer[]; take: (bytes: Uint8Array) => void } {
  const chunks: Buffer[] = []
  return { chunks, take: (bytes) => void chunks.push(Buffer.from(bytes)) }
}

it('gives all of a body, over one connection for one request after the other', async () => {
  const { pool, connections } = await serving((request, response) => {
    expect(request.headers['x-key']).toBe('value')
    response.writeHead(200, { 'content-length': BYTES.byteLength, etag: '"e"' }).end(BYTES)
  })
  for (let time = 0; time < 3; time++) {
    const { chunks, take } = gather()
    const accepts = ({ status, header }: { status: number; header: (name: string) => string | undefined }): boolean =>
      status === 200 && header('etag') === '"e"'
    expect(await pool.pour({ path: '/x', headers: { 'x-key': 'value' } }, accepts, take)).toBe('poured')
    expect(Buffer.concat(chunks).equals(BYTES)).toBe(true)
  }
  expect(connections()).toBe(1)
})

it('sends a text of any characters, and puts the answer into one piece of memory', async () => {
  const { pool, connections } = await serving((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const said = Buffer.from(`${request.method} ${Buffer.concat(chunks).toString()}`)
      response.writeHead(200, { 'content-length': said.byteLength }).end(said)
    })
  })
  for (const body of ['["grün ☂"]', ''])
    expect(String(await pool.whole({ path: '/', body }, () => true))).toBe(`POST ${body}`)
  expect(connections()).toBe(1)
  expect(await pool.whole({ path: '/', body: 'x' }, () => false)).toBeUndefined()
})

it('waits for who takes it, and does not use the buffer meanwhile', async () => {
  const { pool } = await serving((_, response) =>
    response.writeHead(200, { 'content-length': BYTES.byteLength }).end(BYTES),
  )
  const chunks: Buffer[] = []
  const take = async (bytes: Uint8Array): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve))
    chunks.push(Buffer.from(bytes))
  }
  expect(await pool.pour({ path: '/' }, () => true, take)).toBe('poured')
  expect(Buffer.concat(chunks).equals(BYTES)).toBe(true)
})

it('gives nothing of an answer that is not accepted, or whose length is not told', async () => {
  const { pool } = await serving((request, response) => {
    if (request.url === '/chunked') response.writeHead(200).end('chunked')
    else response.writeHead(404, { 'content-length': 4 }).end('none')
  })
  const { chunks, take } = gather()
  expect(await pool.pour({ path: '/missing' }, ({ status }) => status === 200, take)).toBe('refused')
  expect(await pool.pour({ path: '/chunked' }, () => true, take)).toBe('refused')
  expect(chunks).toEqual([])
})

it('rejects when the answer breaks off, is none, or says more than it may', async () => {
  const cutOff = await speaking((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'))
  await expect(
    cutOff.pour(
      { path: '/' },
      () => true,
      () => undefined,
    ),
  ).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const endless = await speaking((socket) => void socket.write(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(200_000)}`))
  await expect(
    endless.pour(
      { path: '/' },
      () => true,
      () => undefined,
    ),
  ).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const more = await speaking((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nmore'))
  const { chunks, take } = gather()
  expect(await more.pour({ path: '/' }, () => true, take)).toBe('poured')
  expect(Buffer.concat(chunks).toString()).toBe('mo')
  await expect(
    poolOf({ port: 9, address: '', family: '' }, () => undefined).pour({ path: '/' }, () => true, take),
  ).rejects.toMatchObject({
    code: 'UNREACHABLE',
  })
})

it('ends with what the taker throws, and with the signal', async () => {
  const { pool } = await serving((_, response) =>
    response.writeHead(200, { 'content-length': BYTES.byteLength }).end(BYTES),
  )
  const failing = (): void => {
    throw new Error('disk full')
  }
  await expect(pool.pour({ path: '/' }, () => true, failing)).rejects.toThrow('disk full')
  const stop = new AbortController()
  const stopping = (): void => stop.abort(new Error('stopped'))
  await expect(pool.pour({ path: '/', signal: stop.signal }, () => true, stopping)).rejects.toThrow('stopped')
  await expect(pool.pour({ path: '/', headers: { a: 'b\r\nc: d' } }, () => true, stopping)).rejects.toThrow(
    'line break',
  )
})

it('asks anew where a connection that was kept has been closed meanwhile', async () => {
  const { pool, connections } = await serving((request, response) => {
    response.writeHead(200, { 'content-length': 2 }).end('ok')
    setImmediate(() => request.socket.destroy())
  })
  for (let time = 0; time < 5; time++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(
      await pool.pour(
        { path: '/' },
        () => true,
        () => undefined,
      ),
    ).toBe('poured')
  }
  expect(connections()).toBeGreaterThan(1)
})
