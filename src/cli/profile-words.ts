import type { ChangeAnswer } from '../core/api-profiles.ts'
import { FlotillaError } from '../core/errors.ts'
import type { ProfileOperation } from '../core/profile/change.ts'
import { withHub } from './connect.ts'
import type { Context } from './context.ts'

export const PROFILE = { name: 'PROFILE', summary: 'which profile' } as const

/** What `set NAME param KEY to VALUE` names. */
export interface Place {
  readonly in: 'param' | 'meta'
  readonly key: string
  /** The words after the key; `to` left out. */
  readonly rest: readonly string[]
}

/** Reads `param KEY [to VALUE]` or `meta KEY [to VALUE]`. Throws `USAGE` with the form for anything else. */
export function placeIn(words: readonly string[], form: string): Place {
  const [kind, key, ...rest] = words
  if ((kind !== 'param' && kind !== 'meta') || key === undefined || key === '') throw usage(form)
  if (rest.length > 0 && rest[0] !== 'to') throw usage(form)
  if (rest.length > 2) throw usage(form, 'Quote a value with spaces.')
  if (rest.length === 1) throw usage(form, 'After "to" comes the value.')
  return { in: kind, key, rest: rest.slice(1) }
}

/** The key of a param, where nothing else makes sense. */
export function paramIn(words: readonly string[], form: string): Place {
  const place = placeIn(words, form)
  if (place.in === 'param') return place
  throw usage(form, 'This is for params only.')
}

function usage(form: string, hint?: string): FlotillaError {
  return new FlotillaError('USAGE', `the form is: flotilla ${form}`, { hint })
}

interface ChangeOptions {
  readonly url: string | undefined
  readonly tokenFile: string | undefined
  readonly json: boolean
}

/** Makes one change and says what became of it. */
export async function changing(
  operation: ProfileOperation,
  done: (answer: ChangeAnswer) => string,
  options: ChangeOptions,
  context: Context,
): Promise<0> {
  const answer = await withHub(options, context, ({ profiles }) =>
    profiles.change(operation, { signal: context.signal }),
  )
  if (options.json) context.output.json('change', answer)
  else context.output.print(done(answer))
  return 0
}

export function toldOf(what: string): (answer: ChangeAnswer) => string {
  return ({ profile, version, changed }) =>
    `${profile}: ${what}${changed ? '' : ', as it was before'}${version === 0 ? '' : `, version ${version}`}`
}
