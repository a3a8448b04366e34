import { getEventListeners, once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Secret } from '../secret.ts'
import { systemClock } from '../system-clock.ts'
import { aborted } from '../waiting.ts'
import { connectStomp } from './connection.ts'
import { encodeFrame, FrameReader } from './frame.ts'
import { keepConnected } from './keep-connected.ts'

const login = { user: 'flotilla', password: new Secret('hunter2-hunter2'), clock: systemClock, bodyMax: 1000 }

/** Long enough to tell one who waits for it from one who does not. */
const RECEIPT_MS = 50

/** A broker that lets in, or not, and gives the receipts it is asked for. */
async function openBroker(greeting: 'CONNECTED' | 'ERROR'): Promise<{ port: number; heard: readonly string[] }> {
  const heard: string[] = []
  const server = createServer((socket) => {
    const reader = new FrameReader(1000, ({ command, headers }) => {
      heard.push(command)
      const receipt = headers.get('receipt')
      if (command === 'CONNECT') socket.write(encodeFrame(greeting, {}))
      else if (receipt !== undefined) setTimeout(() => give(receipt), RECEIPT_MS)
    })
    const give = (receipt: string): void => {
      heard.push('its receipt')
      socket.write(encodeFrame('RECEIPT', { 'receipt-id': receipt }))
    }
    socket.on('data', (chunk: Buffer) => reader.push(chunk)).on('error', () => undefined)
    socket.on('close', () => heard.push('the end'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { port: (server.address() as AddressInfo).port, heard }
}

test('who is told to leave says goodbye, so that the broker knows what was acknowledged', async () => {
  const { port, heard } = await openBroker('CONNECTED')
  const stop = new AbortController()
  const url = `stomp://127.0.0.1:${port}`
  const used = Promise.withResolvers<void>()
  const use = async (): Promise<void> => await Promise.resolve(used.resolve())
  const kept = keepConnected({ ...login, url, random: Math.random }, use, () => undefined, stop.signal)
  await used.promise
  stop.abort()
  await kept
  await vi.waitFor(() => expect(heard).toEqual(['CONNECT', 'DISCONNECT', 'its receipt', 'the end']))
})

test('an attempt leaves nothing behind with the signal that would have ended it', async () => {
  const [friend, stranger] = [await openBroker('CONNECTED'), await openBroker('ERROR')]
  const { signal } = new AbortController()
  const at = (port: number) => ({ host: '127.0.0.1', port, isEncrypted: false })
  const connection = await connectStomp(at(friend.port), login, signal)
  await connection.close()
  await expect(connectStomp(at(stranger.port), login, signal)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('an attempt that is ended before it begins, or while nobody answers, is over at once', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onTestFinished(() => void silent.close())
  const broker = { host: '127.0.0.1', port: (silent.address() as AddressInfo).port, isEncrypted: false }
  await expect(connectStomp(broker, login, AbortSignal.abort())).rejects.toMatchObject({ code: 'UNREACHABLE' })
  const stop = new AbortController()
  const attempt = connectStomp(broker, login, stop.signal)
  stop.abort()
  await expect(attempt).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('what cannot be said in a frame is refused, and the connection goes on', async () => {
  const { port } = await openBroker('CONNECTED')
  const connection = await connectStomp(
    { host: '127.0.0.1', port, isEncrypted: false },
    login,
    new AbortController().signal,
  )
  await expect(connection.send('/topic/a', {}, '\0')).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  await connection.send('/topic/a', {}, 'x')
  const over = aborted(connection.over)
  await connection.close()
  await over
})
