import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ProcessCluster } from '../helpers/process-cluster.ts'
import { longest } from '../helpers/soak.ts'

/** A hub that is killed between a commit and its answer: whoever asks again with the same key is told what was done. */

const KILLS = process.env['FLOTILLA_SOAK'] === '1' ? 40 : 4
const EACH = 20
const LONG = longest(600_000)
const cluster = new ProcessCluster()

beforeAll(() => cluster.startHub(), 60_000)
afterAll(() => cluster.stop(), 60_000)

/** Nobody calls a port that nobody listens on: the system could give it to the caller. */
let up: Promise<void> = Promise.resolve()

async function increment(key: string): Promise<number> {
  const token = readFileSync(cluster.env['FLOTILLA_TOKEN_FILE'] ?? '', 'utf8').trim()
  for (;;) {
    await up
    try {
      const answer = await fetch(`${cluster.env['FLOTILLA_URL']}/v1/profiles/shared/params/n`, {
        method: 'POST',
        body: '{"op": "increment"}',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
      })
      const { value } = (await answer.json()) as { value?: number }
      if (answer.status === 200 && value !== undefined) return value
    } catch {
      // Killed: the answer is lost, or nobody is there yet.
    }
    await delay(50)
  }
}

test(
  'is told the first answer, over every kill: nothing is done twice, nothing is lost',
  async () => {
    expect((await cluster.flotilla('profile', 'create', 'shared')).code).toBe(0)
    const told = new Map<string, number>()
    for (let kill = 0; kill < KILLS; kill++) {
      const keys = Array.from({ length: EACH }, (_, index) => `k-${kill}-${index}`)
      const asked = keys.map(async (key) => told.set(key, await increment(key)))
      // Some are answered, some are done and not answered, some have not come.
      await Promise.race(asked)
      const started = Promise.withResolvers<void>()
      up = started.promise
      await cluster.killHub()
      await cluster.startHub()
      started.resolve()
      await Promise.all(asked)
    }
    expect(new Set(told.values()).size).toBe(KILLS * EACH)
    const { stdout } = await cluster.flotilla('profile', 'get', 'shared', 'param', 'n')
    expect(stdout).toBe(`${KILLS * EACH}\n`)
    for (const [key, value] of told) expect(await increment(key)).toBe(value)
  },
  LONG,
)
