import { FlotillaError } from '../../core/errors.ts'
import { isJsonObject, type Json } from '../../core/json-patch/json.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { ago } from '../format.ts'
import { asValue, printWord, REF_OPTION, shownJson, valueFrom, VALUE_OPTIONS } from '../json-words.ts'
import { table } from '../output.ts'
import { changing, placeIn, PROFILE, toldOf } from '../profile-words.ts'

const AGGREGATE = {
  aggregate: { type: 'flag', summary: 'also look into the profiles that it names, and the global one' },
} as const

export const profileList = command({
  arguments: [],
  options: { ...CLIENT },
  examples: ['flotilla profile list', 'flotilla profile list --json'],
  async run({ options }, context) {
    const { output } = context
    const answer = await withHub(options, context, ({ profiles }) => profiles.list({ signal: context.signal }))
    if (options.json) output.json('profiles', answer)
    else {
      const rows = answer.profiles.map(({ name, version, params, meta, description }) => [
        name,
        String(version),
        String(params),
        meta['icon'] ?? '',
        description,
      ])
      table(output, ['PROFILE', 'VERSION', 'PARAMS', 'ICON', 'DESCRIPTION'], rows)
      if (rows.length === 0) output.note('there is no profile: `flotilla profile create NAME` makes one')
    }
    return 0
  },
})

export const profileShow = command({
  arguments: [PROFILE],
  options: { ...CLIENT },
  details: 'Prints JSON, with the version and the revision. The whole of it can be given to -r of another command.',
  examples: ['flotilla profile show example', 'flotilla profile show example | jq .params'],
  async run({ args, options }, context) {
    const profile = await withHub(options, context, ({ profiles }) =>
      profiles.get(args.PROFILE, { signal: context.signal }),
    )
    if (options.json) context.output.json('profile', profile)
    else context.output.print(shownJson(profile, 2))
    return 0
  },
})

export const profileGet = command({
  arguments: [PROFILE, { name: 'WORDS', summary: 'param KEY, or meta KEY', variadic: true }],
  options: {
    raw: { type: 'flag', summary: 'print a text exactly as it is, also where it looks like JSON' },
    ...AGGREGATE,
    ...CLIENT,
  },
  details:
    'A text is printed without quotes, unless it would be read as something else: the texts "5" and "true" keep theirs. So ' +
    '[[ $x = none ]] is true when the param is "none", and what is printed can be given to -r and after `to` as it is. ' +
    'A param that is not set has the default of `param create`; without one the command fails with 1.',
  examples: ['flotilla profile get example param my/leader', 'leader=$(flotilla profile get example param my/leader)'],
  async run({ args, options }, context) {
    const { output, signal } = context
    const form = 'profile get NAME param KEY'
    const place = placeIn(args.WORDS, form)
    if (place.rest.length > 0) throw new FlotillaError('USAGE', `the form is: flotilla ${form}`)
    const answer = await withHub(options, context, async ({ profiles }): Promise<{ value: Json }> => {
      if (place.in === 'param') {
        return profiles.param(args.PROFILE, place.key, options.aggregate ? true : undefined, { signal })
      }
      const { meta } = await profiles.get(args.PROFILE, { signal })
      const value = Object.hasOwn(meta, place.key) ? meta[place.key] : undefined
      if (value !== undefined) return { value }
      throw new FlotillaError('NOT_FOUND', `the meta ${place.key} is not set in ${args.PROFILE}`)
    })
    const { value } = answer
    if (options.json) output.json('param', answer)
    else output.print(options.raw && typeof value === 'string' ? value : printWord(value))
    return 0
  },
})

export const profileParams = command({
  arguments: [PROFILE, { name: 'JSON', summary: 'params in place of all that there are', optional: true }],
  options: { ...REF_OPTION, ...VALUE_OPTIONS, ...AGGREGATE, ...CLIENT },
  details:
    'Without JSON, --file or --stdin it prints the params. With -r, which is all params as they were seen, nobody else’s change is lost.',
  examples: ['flotilla profile params example', `flotilla profile params example '{"a": 1}' -r "$seen"`],
  async run({ args, options }, context) {
    const isChange = args.JSON !== undefined || options.file !== undefined || options.stdin
    if (!isChange) {
      const answer = await withHub(options, context, ({ profiles }) =>
        profiles.params(args.PROFILE, options.aggregate ? true : undefined, { signal: context.signal }),
      )
      if (options.json) context.output.json('params', answer)
      else context.output.print(shownJson(answer.params, 2))
      return 0
    }
    const params = await valueFrom(args.JSON, options, context)
    if (!isJsonObject(params)) throw new FlotillaError('USAGE', 'params are a JSON object')
    const ref = options.ref === undefined ? {} : { ref: asValue(options.ref, false) }
    return changing(
      { op: 'params', profile: args.PROFILE, params, ...ref },
      toldOf('params replaced'),
      options,
      context,
    )
  },
})

export const profileHistory = command({
  arguments: [PROFILE],
  options: {
    version: { type: 'value', placeholder: 'N', summary: 'print the profile as it was at that version' },
    ...CLIENT,
  },
  details: 'The last hundred changes are held. Of a profile that was deleted, its last state can be shown.',
  examples: ['flotilla profile history example', 'flotilla profile history example --version 3'],
  async run({ args, options }, context) {
    const { output, clock, signal } = context
    if (options.version !== undefined) {
      const version = Number(options.version)
      if (!Number.isSafeInteger(version) || version < 1) throw new FlotillaError('USAGE', '--version takes a number')
      const profile = await withHub(options, context, ({ profiles }) => profiles.at(args.PROFILE, version, { signal }))
      const { revision: _, ...then } = profile
      if (options.json) output.json('profile', then)
      else output.print(shownJson(then, 2))
      return 0
    }
    const answer = await withHub(options, context, ({ profiles }) => profiles.history(args.PROFILE, { signal }))
    if (options.json) output.json('history', answer)
    else {
      const rows = answer.changes.map(({ version, op, by, atMs, patch }) => [
        String(version),
        op,
        by.label,
        ago(atMs, clock.nowMs()),
        JSON.stringify(patch).slice(0, SHOWN),
      ])
      table(output, ['VERSION', 'WHAT', 'WHO', 'SINCE', 'CHANGE'], rows)
    }
    return 0
  },
})

const SHOWN = 100
