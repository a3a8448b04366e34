import { once } from 'node:events'
import { createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyReply } from 'fastify'
import { afterEach, expect, test } from 'vitest'
import type { Caller } from './caller.ts'
import { WaitPlaces } from './wait-places.ts'

const LIMITS = { waiters: 1, waitersPerToken: 1, waitMs: 60_000 }
const server = createServer()
afterEach(() => server.close())

/** An answer that nobody waits for any more. */
async function leftAlone(): Promise<ServerResponse> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const asking = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
  asking.on('error', () => undefined).end()
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
  asking.destroy()
  await once(response, 'close')
  return response
}

function asking(raw: ServerResponse, ended: AbortSignal) {
  return { caller: { id: 't1', ended } as Caller, reply: { raw } as FastifyReply }
}

test('who has gone before the wait begins takes no place for its time', async () => {
  const places = new WaitPlaces({ limits: LIMITS, closing: new AbortController().signal })
  const call = asking(await leftAlone(), new AbortController().signal)
  const isAborted = await places.within(call, 60_000, ({ signal }) => Promise.resolve(signal.aborted))
  expect(isAborted).toBe(true)
})

test('a wait that begins when its token has ended, or its hub is closing, is over at once', async () => {
  const reason = new Error('over')
  const live = new AbortController().signal
  for (const [closing, ended] of [
    [AbortSignal.abort(reason), live],
    [live, AbortSignal.abort(reason)],
  ] as const) {
    const places = new WaitPlaces({ limits: LIMITS, closing })
    const raw = { on() {}, off() {}, closed: false } as unknown as ServerResponse
    expect(await places.within(asking(raw, ended), 1, ({ signal }) => Promise.resolve(signal.reason))).toBe(reason)
  }
})
