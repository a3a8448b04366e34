import { FlotillaError } from '../../core/errors.ts'
import { isJsonObject, type Json } from '../../core/json-patch/json.ts'
import type { ProfileOperation } from '../../core/profile/change.ts'
import { command } from '../command.ts'
import { CLIENT } from '../connect.ts'
import { asValue, parseWord, REF_OPTION, valueFrom, VALUE_OPTIONS } from '../json-words.ts'
import { changing, PROFILE, toldOf } from '../profile-words.ts'

const INPUT = { file: VALUE_OPTIONS.file, stdin: VALUE_OPTIONS.stdin } as const
const WHOLE =
  'REF of -r is a profile as `profile show` prints it, or some of its members: those must still be so. ' +
  'Whoever loses a race exits with 5 and is told what is there now.'

export const profileCreate = command({
  arguments: [
    { name: 'PROFILE', summary: 'its name, or all of it as JSON' },
    { name: 'JSON', summary: 'description, documentation, meta, params, profiles', optional: true },
  ],
  options: { ...INPUT, ...CLIENT },
  details: 'Where there is one of that name already, it exits with 5 and leaves it alone.',
  examples: ['flotilla profile create example', `flotilla profile create example '{"params": {"my/leader": "none"}}'`],
  async run({ args, options }, context) {
    const whole = parseWord(args.PROFILE)
    const { name, ...own } = isJsonObject(whole) ? whole : { name: args.PROFILE }
    const hasMore = args.JSON !== undefined || options.file !== undefined || options.stdin
    const more = hasMore ? objectOf(await valueFrom(args.JSON, { ...options, string: undefined }, context)) : {}
    if (typeof name !== 'string') throw new FlotillaError('USAGE', 'the profile has no name')
    const operation = { ...own, ...more, op: 'create', profile: name } as unknown as ProfileOperation
    return changing(operation, toldOf('created'), options, context)
  },
})

export const profilePatch = command({
  arguments: [PROFILE, { name: 'PATCH', summary: 'a JSON Patch: a list of operations', optional: true }],
  options: { ...REF_OPTION, ...INPUT, ...CLIENT },
  details: `All operations or none; pointers start at the profile, as in /params/my~1leader. ${WHOLE}`,
  examples: [
    `flotilla profile patch example '[{"op": "test", "path": "/params/a", "value": 1}, {"op": "remove", "path": "/meta"}]'`,
    'flotilla profile patch example --file changes.json',
  ],
  async run({ args, options }, context) {
    const patch = await valueFrom(args.PATCH, { ...options, string: undefined }, context)
    if (!Array.isArray(patch)) throw new FlotillaError('USAGE', 'a JSON Patch is a list of operations')
    const operation: ProfileOperation = {
      op: 'patch',
      profile: args.PROFILE,
      patch: patch as readonly Json[],
      ...refOf(options.ref),
    }
    return changing(operation, toldOf('patched'), options, context)
  },
})

export const profileUpdate = command({
  arguments: [PROFILE, { name: 'JSON', summary: 'what to merge in; null takes a member away', optional: true }],
  options: { ...REF_OPTION, ...INPUT, ...CLIENT },
  details: `What is not named stays as it is. ${WHOLE}`,
  examples: [
    `flotilla profile update example '{"meta": {"color": "purple", "icon": "anchor"}}'`,
    `flotilla profile update example '{"params": {"step": 2}}' -r '{"params": {"step": 1}}'`,
  ],
  async run({ args, options }, context) {
    const merge = objectOf(await valueFrom(args.JSON, { ...options, string: undefined }, context))
    const operation: ProfileOperation = { op: 'merge', profile: args.PROFILE, merge, ...refOf(options.ref) }
    return changing(operation, toldOf('updated'), options, context)
  },
})

export const profileDelete = command({
  arguments: [PROFILE],
  options: { ...REF_OPTION, ...CLIENT },
  details: `Its last state stays in its history. ${WHOLE}`,
  examples: ['flotilla profile delete example'],
  async run({ args, options }, context) {
    const operation: ProfileOperation = { op: 'delete', profile: args.PROFILE, ...refOf(options.ref) }
    return changing(operation, toldOf('deleted'), options, context)
  },
})

function refOf(text: string | undefined): { readonly ref?: Json } {
  return text === undefined ? {} : { ref: objectOf(asValue(text, false)) }
}

function objectOf(value: Json) {
  if (isJsonObject(value)) return value
  throw new FlotillaError('USAGE', 'a JSON object is needed, not a plain value', {
    hint: 'Quote it for the shell: \'{"meta": {"icon": "anchor"}}\'',
  })
}
