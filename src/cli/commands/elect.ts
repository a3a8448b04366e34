import type { LineAnswer } from '../../core/api-coordination.ts'
import { whoOf } from '../../core/coordination/claims.ts'
import { parseFence } from '../../core/coordination/fences.ts'
import { type ExitCode, FlotillaError, isError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { command } from '../command.ts'
import { CLIENT, type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { countOf, HELD, leaseTimes, someone, timeoutMs } from '../coordination-options.ts'
import { runHeld } from '../held.ts'
import { jsonTextOf } from '../json-words.ts'

const SEATS_MAX = 10_000
const AGAIN_MS = 1000

export const elect = command({
  arguments: [
    { name: 'NAME', summary: 'what is led' },
    { name: 'CMD', summary: 'runs while this one leads; after --', variadic: true },
  ],
  options: {
    seats: { type: 'value', placeholder: 'N', summary: 'how many may lead at once', fallback: '1' },
    value: {
      type: 'value',
      placeholder: 'JSON',
      summary: 'what others are to know of this leader; JSON, or else a text',
    },
    node: { type: 'value', placeholder: 'NODE', summary: 'the node that is shown as a leader meanwhile' },
    observe: { type: 'flag', summary: 'say who leads, now and whenever it changes' },
    resign: { type: 'flag', summary: 'end the leadership of --id, of the command this runs in, or of the only leader' },
    ...HELD,
    ...CLIENT,
  },
  details:
    'Waits until fewer than --seats are ahead, in order of coming, then runs the command with its fencing token in FLOTILLA_FENCE, which every command ' +
    'of ours sends by itself. The exit code is that of the command; 5 when the leadership was lost, before which the command and all it started are ' +
    'ended; 3 when --timeout is over first. When the command ends, so does what it left running.',
  examples: [
    'flotilla elect backup -- ./backup.sh',
    'flotilla elect workers --seats 3 --ttl 30 -- ./work.sh',
    'flotilla elect backup --observe',
    'flotilla elect backup --resign',
  ],
  async run({ args, options }, context) {
    const { NAME: name, CMD: argv } = args
    const actions = [argv.length > 0, options.observe, options.resign].filter(Boolean).length
    if (actions !== 1) {
      throw new FlotillaError('USAGE', 'elect takes one of a command, --observe and --resign', {
        hint: `flotilla elect ${name} -- CMD`,
      })
    }
    const times = leaseTimes(options)
    const seats = countOf(options.seats, 'seats', SEATS_MAX)
    return withHub(options, context, async (hub) => {
      if (options.observe) return observe(name, options.json, hub, context)
      if (options.resign) return resign(name, options.id, hub, context)
      const who = options.id ?? someone()
      const value = options.value === undefined ? undefined : (JSON.parse(jsonTextOf(options.value)) as unknown)
      const request = { who, seats, value, node: options.node }
      const holding = { kind: 'elect', name, request, ...times, timeoutMs: timeoutMs(options), command: argv } as const
      return runHeld(holding, hub, context)
    })
  },
})

/** Until it is interrupted. A hub that restarts is waited for. */
async function observe(name: string, json: boolean, hub: Hub, { clock, output, signal }: Context): Promise<ExitCode> {
  let last = ''
  for (;;) {
    try {
      for await (const line of hub.coordination.observe('elect', name, { signal })) {
        const text = lineText(line)
        if (json) output.json('election', line)
        else if (text !== last) output.print(text)
        last = text
      }
    } catch (error) {
      if (!isError(error, 'UNREACHABLE', 'NOT_READY') || last === '') throw error
    }
    await clock.sleep(AGAIN_MS, signal)
  }
}

function lineText({ name, holders, waiting }: LineAnswer): string {
  const leaders = holders.map(({ who, value }) => (value === undefined ? who : `${who} ${JSON.stringify(value)}`))
  const who = leaders.length === 0 ? 'nobody' : leaders.join(', ')
  return clean(`${name}: ${who}${waiting.length === 0 ? '' : `; waiting: ${waiting.map((one) => one.who).join(', ')}`}`)
}

async function resign(name: string, id: string | undefined, hub: Hub, { env, output }: Context): Promise<ExitCode> {
  const who = id ?? ownName(name, env['FLOTILLA_FENCE']) ?? (await onlyLeader(name, hub))
  await hub.coordination.release('elect', name, who)
  output.print(clean(`${who} leads ${name} no more`))
  return 0
}

/** As who the command leads that this runs in; undefined where it leads something else, or nothing. */
function ownName(name: string, fence: string | undefined): string | undefined {
  const own = fence === undefined || fence === '' ? undefined : parseFence(fence)
  return own?.kind === 'elect' && own.name === name ? whoOf(own.key) : undefined
}

async function onlyLeader(name: string, hub: Hub): Promise<string> {
  const [first, ...more] = (await hub.coordination.line('elect', name)).holders.map(({ who }) => who)
  if (first === undefined) throw new FlotillaError('NOT_FOUND', `nobody leads ${name}`)
  if (more.length === 0) return first
  throw new FlotillaError('USAGE', `${[first, ...more].join(', ')} lead ${name}: say which is to resign`, {
    hint: `flotilla elect ${name} --resign --id WHO`,
  })
}
