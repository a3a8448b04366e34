import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { encodeFrame, FrameReader } from '../../lib/stomp/frame.ts'
import { Secret } from '../../lib/secret.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { probeStomp } from './probe.ts'

test('a broker that never says where a queue ends is not waited for without end', async () => {
  const server = createServer((socket) => {
    const reader = new FrameReader(1000, ({ command, headers }) => {
      const receipt = headers.get('receipt')
      if (command === 'CONNECT') socket.write(encodeFrame('CONNECTED', {}))
      else if (receipt !== undefined) socket.write(encodeFrame('RECEIPT', { 'receipt-id': receipt }))
    })
    socket.on('data', (chunk: Buffer) => reader.push(chunk)).on('error', () => undefined)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const clock = {
    nowMs: () => systemClock.nowMs(),
    monotonicMs: () => systemClock.monotonicMs(),
    sleep: async (ms: number, signal?: AbortSignal) => await systemClock.sleep(ms / 10, signal),
  }
  const url = `stomp://127.0.0.1:${(server.address() as AddressInfo).port}`
  const options = { url, user: 'flotilla', password: new Secret('hunter2-hunter2'), topic: 'VirtualTopic.test', clock }
  await expect(probeStomp(options, 'erd1')).rejects.toMatchObject({
    code: 'UNREACHABLE',
    message: expect.stringContaining('no answer within') as string,
  })
})
