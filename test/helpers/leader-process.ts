import { appendFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { CoordinationClient } from '../../src/client/coordination-client.ts'
import { isError } from '../../src/core/errors.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'

/**
 * A careless leader, as a process of its own: it contends, and once it leads it writes under its fence, everywhere and again
 * and again, without a look at its lease, until it was refused everywhere. Then it contends again.
 */
export interface Written {
  readonly place: string
  readonly fence: string
  readonly status: number
  /** By the machine's monotonic clock, which all processes share. */
  readonly startedNs: string
  readonly endedNs: string
}

const { values } = parseArgs({
  options: Object.fromEntries(
    ['hub', 'token', 'with', 'without', 'who', 'ttl', 'log'].map((name) => [name, { type: 'string' as const }]),
  ),
})
const { hub = '', token = '', who = '', log = '' } = values
const ttlMs = Number(values['ttl'])
const authorization = `Bearer ${token}`
const PAUSE_MS = 15
const LATE_MS = 1000

/** What is refused under a fence that is stale. */
const STALE = 412

const places: Readonly<Record<string, (fence: string) => Promise<number>>> = {
  param: (fence) =>
    put(`${hub}/v1/profiles/led/params/leader`, JSON.stringify({ value: fence }), {
      fence,
      authorization,
      'content-type': 'application/json',
    }),
  with: (fence) => put(`${values['with']}/leader.txt`, fence, { fence }),
  without: (fence) => put(`${values['without']}/leader.txt`, fence, { fence }),
}

/** 0 where there was no answer: it may have been written. */
async function put(url: string, body: string, headers: Readonly<{ [name: string]: string }>): Promise<number> {
  try {
    const answer = await fetch(url, { method: 'PUT', body, headers, signal: AbortSignal.timeout(LATE_MS) })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return 0
  }
}

async function renewing(client: CoordinationClient, lease: string, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    await delay(ttlMs / 5)
    try {
      await client.renew(lease, { signal: AbortSignal.any([stop, AbortSignal.timeout(LATE_MS)]) })
    } catch (error) {
      if (isError(error, 'LEASE_ENDED')) return
    }
  }
}

async function lead(client: CoordinationClient): Promise<void> {
  const { fence, revision, lease = '', ...first } = await client.contend('elect', 'main', { who, ttlMs })
  const stop = new AbortController()
  const kept = renewing(client, lease, stop.signal)
  try {
    for (let { holds } = first; !holds;) {
      const query = { revision, waitMs: 5000 }
      holds = (await client.claim('elect', 'main', who, query, { signal: AbortSignal.timeout(6000) })).holds
    }
    await writeUntilRefused(fence)
  } finally {
    stop.abort()
    await kept
  }
}

async function writeUntilRefused(fence: string): Promise<void> {
  const left = new Map(Object.entries(places))
  while (left.size > 0) {
    const writing = [...left].map(async ([place, write]) => {
      const startedNs = String(process.hrtime.bigint())
      const status = await write(fence)
      const written: Written = { place, fence, status, startedNs, endedNs: String(process.hrtime.bigint()) }
      appendFileSync(log, `${JSON.stringify(written)}\n`)
      if (status === STALE) left.delete(place)
    })
    await Promise.all([...writing, delay(PAUSE_MS)])
  }
}

const client = new CoordinationClient({ url: hub, token: new Secret(token), clock: systemClock, silenceMs: LATE_MS })
for (;;) {
  // Whatever goes wrong on the way to the leadership: it is tried again.
  await lead(client).catch(() => delay(PAUSE_MS))
}
