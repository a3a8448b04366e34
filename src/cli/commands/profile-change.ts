import { FlotillaError } from '../../core/errors.ts'
import type { Json } from '../../core/json-patch/json.ts'
import { formatPointer } from '../../core/json-patch/pointer.ts'
import type { ProfileOperation } from '../../core/profile/change.ts'
import { command } from '../command.ts'
import { CLIENT } from '../connect.ts'
import { asValue, REF_OPTION, valueFrom, VALUE_OPTIONS } from '../json-words.ts'
import { changing, paramIn, type Place, placeIn, PROFILE, toldOf } from '../profile-words.ts'

const WORDS = { name: 'WORDS', summary: 'param KEY to VALUE', variadic: true } as const
const VALUE_RULE =
  'VALUE is JSON; a word that is no JSON is a text, so none needs no quotes. --string takes anything as text. ' +
  'Nothing is read from a URL or a path unless --file names it. '
const RACE = 'Whoever loses a race exits with 5 and is told what is there now; nothing is tried again by itself.'

export const profileSet = command({
  arguments: [PROFILE, { ...WORDS, summary: 'param KEY to VALUE, or meta KEY to VALUE' }],
  options: { ...REF_OPTION, ...VALUE_OPTIONS, ...CLIENT },
  details: `${VALUE_RULE}With -r it is a compare-and-set: REF is the value that was seen, which may be the default. ${RACE}`,
  examples: [
    'flotilla profile set example param my/leader to "$HOSTNAME" -r none',
    `flotilla profile set example param sizes to '[1, 2]'`,
    'flotilla profile set example meta icon to anchor',
  ],
  async run({ args, options }, context) {
    const place = placeIn(args.WORDS, 'profile set NAME param KEY to VALUE')
    const value = await valueFrom(place.rest[0], options, context)
    const ref = refOf(options)
    const operation =
      place.in === 'param' ? setParam(args.PROFILE, place, value, ref) : setMeta(args.PROFILE, place, value, ref)
    return changing(operation, toldOf(`${place.key} set`), options, context)
  },
})

function setParam(profile: string, { key }: Place, value: Json, ref: Json | undefined): ProfileOperation {
  return { op: 'set', profile, param: key, value, ...(ref !== undefined && { ref }) }
}

function setMeta(profile: string, place: Place, value: Json, ref: Json | undefined): ProfileOperation {
  return patchMeta(profile, place, (path) => ({ op: 'add', path, value: textOf(value) }), ref)
}

/** Only where it is `ref`, if that is told. Whatever stands in meta is a text. */
function patchMeta(
  profile: string,
  { key }: Place,
  change: (path: string) => Json,
  ref: Json | undefined,
): ProfileOperation {
  const path = formatPointer(['meta', key])
  const test: readonly Json[] = ref === undefined ? [] : [{ op: 'test', path, value: textOf(ref) }]
  return { op: 'patch', profile, patch: [...test, change(path)] }
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function refOf({ ref, string }: { readonly ref: string | undefined; readonly string: boolean }): Json | undefined {
  return ref === undefined ? undefined : asValue(ref, string)
}

export const profileAdd = command({
  arguments: [PROFILE, WORDS],
  options: { ...VALUE_OPTIONS, ...CLIENT },
  details: `${VALUE_RULE}${RACE}`,
  examples: ['flotilla profile add example param my/leader to "$HOSTNAME"'],
  async run({ args, options }, context) {
    const place = paramIn(args.WORDS, 'profile add NAME param KEY to VALUE')
    const value = await valueFrom(place.rest[0], options, context)
    const operation: ProfileOperation = { op: 'add', profile: args.PROFILE, param: place.key, value }
    return changing(operation, toldOf(`${place.key} added`), options, context)
  },
})

export const profileRemove = command({
  arguments: [PROFILE, { ...WORDS, summary: 'param KEY, or meta KEY' }],
  options: { ...REF_OPTION, string: VALUE_OPTIONS.string, ...CLIENT },
  details: RACE,
  examples: [
    'flotilla profile remove example param my/leader',
    'flotilla profile remove example param my/leader -r me',
  ],
  async run({ args, options }, context) {
    const place = placeIn(args.WORDS, 'profile remove NAME param KEY')
    const profile = args.PROFILE
    const ref = refOf(options)
    const operation: ProfileOperation =
      place.in === 'param'
        ? { op: 'remove', profile, param: place.key, ...(ref !== undefined && { ref }) }
        : patchMeta(profile, place, (path) => ({ op: 'remove', path }), ref)
    return changing(operation, toldOf(`${place.key} removed`), options, context)
  },
})

export const profileAppend = onList('append', 'put on')
export const profileTake = onList('take', 'taken off')

function onList(op: 'append' | 'take', done: string) {
  return command({
    arguments: [PROFILE, WORDS],
    options: { ...VALUE_OPTIONS, ...CLIENT },
    details: `${VALUE_RULE}A list that is not there is empty. One call, however many do the same: nobody loses a race.`,
    examples: [`flotilla profile ${op} example param members to "$HOSTNAME"`],
    async run({ args, options }, context) {
      const place = paramIn(args.WORDS, `profile ${op} NAME param KEY to VALUE`)
      const value = await valueFrom(place.rest[0], options, context)
      const operation: ProfileOperation = { op, profile: args.PROFILE, param: place.key, value }
      return changing(operation, toldOf(`${done} ${place.key}`), options, context)
    },
  })
}

export const counter = command({
  arguments: [PROFILE, { name: 'KEY', summary: 'the param that counts; 0 where it is not set' }],
  options: {
    by: { type: 'value', placeholder: 'N', summary: 'how much to add; may be negative', fallback: '1' },
    ...CLIENT,
  },
  details: 'Prints the number. Of any number that count at the same moment, each gets another one.',
  examples: ['flotilla counter example builds', 'flotilla counter example free --by -1'],
  async run({ args, options }, context) {
    const by = Number(options.by)
    if (options.by.trim() === '' || !Number.isFinite(by)) throw new FlotillaError('USAGE', '--by takes a number')
    const operation: ProfileOperation = { op: 'increment', profile: args.PROFILE, param: args.KEY, by }
    return changing(
      operation,
      ({ value }) => (value === undefined ? 'counted' : JSON.stringify(value)),
      options,
      context,
    )
  },
})
