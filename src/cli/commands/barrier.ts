import { randomUUID } from 'node:crypto'
import type { BarrierAnswer } from '../../core/api-coordination.ts'
import { PARTIES_MAX } from '../../core/coordination/barriers.ts'
import { LeaseKeeper } from '../../client/lease-keeper.ts'
import { type ExitCode, FlotillaError, isError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { asking, endOf, firstEndOf, pollMs } from '../asking.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { countOf, someone, timeMs, TIMEOUT, timeoutMs, WHO_FORM } from '../coordination-options.ts'
import { plural, span } from '../format.ts'

const TTL_MS = 10_000

export const barrier = command({
  arguments: [{ name: 'NAME', summary: 'where all meet' }],
  options: {
    parties: { type: 'value', placeholder: 'N', summary: 'how many have to arrive' },
    id: {
      type: 'value',
      placeholder: 'WHO',
      summary: 'what this party is called; the host, the process and something random when left out',
      form: WHO_FORM,
    },
    expect: { type: 'value', placeholder: 'A,B', summary: 'who should come: those who are missing are named' },
    stay: {
      type: 'value',
      placeholder: 'TIME',
      summary: 'be counted as inside for so long, for a --leave that comes later',
    },
    leave: { type: 'flag', summary: 'leave, and wait until all have left' },
    ...TIMEOUT,
    ...CLIENT,
  },
  details:
    'Returns when as many have arrived as --parties says, all at once; a party that dies is not counted any more. Every passing begins a new generation, ' +
    'so it can be run again. A double barrier: enter with --stay, do the work, then --leave with the same --id. The exit code is 0 when all were there, ' +
    '3 when --timeout was over before.',
  examples: [
    'flotilla barrier ready --parties 3',
    'flotilla barrier ready --parties 3 --id web1 --expect web1,web2,web3 --timeout 600',
    'flotilla barrier work --parties 3 --id web1 --stay 1h && ./work.sh; flotilla barrier work --leave --id web1',
  ],
  async run({ args, options }, context) {
    const { parties, leave, id, stay } = options
    if ((parties === undefined) === !leave)
      throw new FlotillaError('USAGE', 'barrier takes one of --parties and --leave')
    if ((leave || stay !== undefined) && id === undefined)
      throw new FlotillaError('USAGE', '--leave and --stay need --id')
    const limitMs = timeoutMs(options)
    const endMs = endOf(context.clock, limitMs)
    const party = {
      name: args.NAME,
      who: id ?? someone(),
      endMs,
      limitMs: limitMs ?? 0,
      expect: options.expect,
      json: options.json,
    }
    const count = parties === undefined ? 0 : countOf(parties, 'parties', PARTIES_MAX)
    const stayMs = stay === undefined ? undefined : stayOf(stay)
    return withHub(options, context, (hub) =>
      leave ? leaveAndWait(party, hub, context) : arriveAndWait({ ...party, parties: count, stayMs }, hub, context),
    )
  },
})

interface Party {
  readonly name: string
  readonly who: string
  readonly endMs: number
  readonly limitMs: number
  readonly expect: string | undefined
  readonly json: boolean
}

function stayOf(text: string): number {
  const ms = timeMs(text) ?? 0
  if (ms >= 1000 && ms <= 3_600_000) return ms
  throw new FlotillaError('USAGE', '--stay takes 1 s to 1 h')
}

interface Arriving extends Party {
  readonly parties: number
  readonly stayMs: number | undefined
}

async function arriveAndWait(party: Arriving, hub: Hub, context: Context): Promise<ExitCode> {
  const { name, who, parties, stayMs, endMs } = party
  const { clock, signal } = context
  const { coordination } = hub
  const expect = party.expect?.split(',').filter((one) => one !== '')
  const ttlMs = stayMs ?? TTL_MS
  const session = randomUUID()
  let sentMs = 0
  const first = await asking(context, firstEndOf(clock, endMs), () => {
    sentMs = clock.monotonicMs()
    return coordination.arrive(name, { who, parties, session, ttlMs, ...(expect && { expect }) }, { signal })
  })
  const { lease = '' } = first
  const stop = new AbortController()
  const keeper = new LeaseKeeper({ clock, ttlMs, sentMs, renew: (each) => coordination.renew(lease, { signal: each }) })
  const kept = keeper.run(stop.signal)
  let state: BarrierAnswer = first
  try {
    while (!state.passed && clock.monotonicMs() < endMs) {
      context.output.progress(`${name}: ${state.arrived.length} of ${parties} are there${missingText(state)}`)
      const waitMs = pollMs(clock, endMs)
      const query = { generation: first.generation, who, waitMs, expect: expect?.join(',') }
      state = await asking(context, endMs, () => coordination.barrier(name, query, { signal })).catch(
        (error: unknown) => {
          if (isError(error, 'UNREACHABLE', 'NOT_READY')) return state
          throw error
        },
      )
    }
    return tell(state, party, context)
  } finally {
    stop.abort()
    await kept
    if (stayMs === undefined || !state.passed) await coordination.revoke(lease).catch(() => undefined)
  }
}

async function leaveAndWait(party: Party, hub: Hub, context: Context): Promise<ExitCode> {
  const { name, who, endMs, limitMs, json } = party
  const { clock, output, signal } = context
  for (;;) {
    const waitMs = pollMs(clock, endMs)
    const state = await asking(context, firstEndOf(clock, endMs), () =>
      hub.coordination.leave(name, who, waitMs, { signal }),
    )
    const isOver = state.arrived.length === 0
    if (!isOver && clock.monotonicMs() < endMs) continue
    if (json) output.json('barrier', state)
    else if (isOver) output.print(clean(`${name}: all have left generation ${state.generation}`))
    if (!isOver) output.note(clean(`still there after ${span(limitMs)}: ${state.arrived.join(', ')}`))
    return isOver ? 0 : 3
  }
}

function tell(state: BarrierAnswer, { name, parties, json, limitMs }: Arriving, { output }: Context): ExitCode {
  const { passed, arrived, generation } = state
  if (json) output.json('barrier', state)
  else if (passed) output.print(clean(`${name}: all ${parties} are there, generation ${generation} has passed`))
  if (!passed) {
    const there = `${arrived.length} of ${plural(parties, 'party', 'parties')}`
    output.note(clean(`after ${span(limitMs)} only ${there} are there: ${arrived.join(', ')}${missingText(state)}`))
  }
  return passed ? 0 : 3
}

function missingText({ missing = [] }: BarrierAnswer): string {
  return missing.length === 0 ? '' : `; missing: ${missing.join(', ')}`
}
