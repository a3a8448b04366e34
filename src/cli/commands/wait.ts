import type { WaitQuery } from '../../client/coordination-client.ts'
import type { WaitAnswer } from '../../core/api-coordination.ts'
import type { Json } from '../../core/json-patch/json.ts'
import { type ExitCode, FlotillaError } from '../../core/errors.ts'
import { clean } from '../../lib/clean.ts'
import { asking, endOf, firstEndOf, pollMs } from '../asking.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { TIMEOUT, timeoutMs } from '../coordination-options.ts'
import { span } from '../format.ts'
import { jsonTextOf, printWord } from '../json-words.ts'
import type { Output } from '../output.ts'

export const wait = command({
  arguments: [
    { name: 'NAME', summary: 'a profile; a node with --node' },
    { name: 'WHAT', summary: '"param" or "meta"', completes: ['param', 'meta'] },
    { name: 'KEY', summary: 'which one' },
    { name: 'VALUE', summary: 'what it has to be: JSON, or else a text', optional: true },
  ],
  options: {
    exists: { type: 'flag', summary: 'until there is any value' },
    absent: { type: 'flag', summary: 'until there is none' },
    matches: { type: 'value', placeholder: 'REGEX', summary: 'until the text, or the JSON of anything else, matches' },
    string: { type: 'flag', summary: 'VALUE is a text, whatever it looks like' },
    node: { type: 'flag', summary: 'NAME is a node, and KEY something that it shows: phase, percent, message, …' },
    ...TIMEOUT,
    ...CLIENT,
  },
  details:
    'Returns by the change that makes it so, without asking again and again, and prints the value. The exit code is 0 then, 3 when --timeout is over ' +
    'before, 6 without the right to read it, 7 when the hub is not there.',
  examples: [
    'flotilla wait web param ready true --timeout 600',
    'flotilla wait web param leader --exists',
    'flotilla wait web1 meta phase done --node',
  ],
  async run({ args, options }, context) {
    const { NAME: name, WHAT: what, KEY: key, VALUE: value } = args
    if (what !== 'param' && what !== 'meta')
      throw new FlotillaError('USAGE', `a param or meta is waited for, not "${what}"`)
    if (options.node && what !== 'meta') throw new FlotillaError('USAGE', 'of a node meta is waited for')
    const condition = conditionOf(value, options)
    const subject: WaitQuery = what === 'param' ? { param: key } : { meta: key }
    const limitMs = timeoutMs(options)
    const { clock, output, signal } = context
    const endMs = endOf(clock, limitMs)
    return withHub(options, context, async ({ coordination }) => {
      let hasAnswered = false
      for (;;) {
        const query = { ...subject, ...condition, waitMs: pollMs(clock, endMs) }
        // A hub that restarts while somebody waits is waited for.
        const patienceMs = hasAnswered ? endMs : firstEndOf(clock, endMs)
        const answer = await asking(context, patienceMs, () =>
          options.node
            ? coordination.waitForNode(name, query, { signal })
            : coordination.waitForProfile(name, query, { signal }),
        )
        hasAnswered = true
        if (!answer.met && clock.monotonicMs() < endMs) continue
        return tell(answer, { name, key, limitMs: limitMs ?? 0, json: options.json }, output)
      }
    })
  },
})

interface Asked {
  readonly name: string
  readonly key: string
  readonly limitMs: number
  readonly json: boolean
}

function tell(answer: WaitAnswer, { name, key, limitMs, json }: Asked, output: Output): ExitCode {
  if (json) output.json('wait', answer)
  else if (answer.met && answer.value !== undefined) output.print(printWord(answer.value as Json))
  if (answer.met) return 0
  const now = answer.value === undefined ? 'absent' : textOf(answer.value)
  output.note(clean(`${name} ${key} is not so after ${span(limitMs)}: it is ${now}`))
  return 3
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

interface Conditions {
  readonly exists: boolean
  readonly absent: boolean
  readonly matches: string | undefined
  readonly string: boolean
}

function conditionOf(value: string | undefined, { exists, absent, matches, string }: Conditions): WaitQuery {
  const all: WaitQuery[] = []
  if (value !== undefined) all.push({ equals: string ? JSON.stringify(value) : jsonTextOf(value) })
  if (exists) all.push({ exists: true })
  if (absent) all.push({ absent: true })
  if (matches !== undefined) all.push({ matches })
  const [only, ...more] = all
  if (only !== undefined && more.length === 0) return only
  throw new FlotillaError('USAGE', 'wait takes one of VALUE, --exists, --absent and --matches')
}
