import type { Definition } from '../../core/profile/profile.ts'
import { FlotillaError } from '../../core/errors.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { parseWord, printWord, shownJson, valueFrom } from '../json-words.ts'
import { table } from '../output.ts'

const PARAM = { name: 'PARAM', summary: 'what it is called in profiles' } as const

export const paramCreate = command({
  arguments: [PARAM],
  options: {
    default: { type: 'value', placeholder: 'VALUE', summary: 'what counts where nobody set it: JSON, or a word' },
    schema: { type: 'value', placeholder: 'JSON', summary: 'a JSON Schema (2020-12) that new values must match' },
    schemaFile: { type: 'value', placeholder: 'FILE', summary: 'the same from a file', completes: 'file' },
    description: { type: 'value', placeholder: 'TEXT', summary: 'what it is for' },
    replace: { type: 'flag', summary: 'in place of the one there is' },
    ...CLIENT,
  },
  details: 'It holds for the param in every profile. Values that are there already stay as they are.',
  examples: [
    'flotilla param create my/leader --default none',
    `flotilla param create size --schema '{"type": "integer", "minimum": 1}'`,
  ],
  async run({ args, options }, context) {
    const { schema, schemaFile: file, description = '' } = options
    if (schema !== undefined && file !== undefined) {
      throw new FlotillaError('USAGE', '--schema and --schema-file say the same: use one')
    }
    const hasSchema = schema !== undefined || file !== undefined
    const definition: Omit<Definition, 'name'> = {
      description,
      ...(options.default !== undefined && { default: parseWord(options.default) }),
      ...(hasSchema && { schema: await valueFrom(schema, { file, stdin: false, string: undefined }, context) }),
    }
    const answer = await withHub(options, context, ({ profiles }) =>
      profiles.define(args.PARAM, definition, !options.replace, { signal: context.signal }),
    )
    if (options.json) context.output.json('param', answer)
    else context.output.print(`param ${args.PARAM} defined`)
    return 0
  },
})

export const paramList = command({
  arguments: [],
  options: { ...CLIENT },
  examples: ['flotilla param list'],
  async run({ options }, context) {
    const answer = await withHub(options, context, ({ profiles }) => profiles.definitions({ signal: context.signal }))
    if (options.json) context.output.json('params', answer)
    else {
      const rows = answer.params.map(({ name, schema, description, default: value }) => [
        name,
        value === undefined ? '' : printWord(value),
        schema === undefined ? '' : JSON.stringify(schema),
        description,
      ])
      table(context.output, ['PARAM', 'DEFAULT', 'SCHEMA', 'DESCRIPTION'], rows)
    }
    return 0
  },
})

export const paramShow = command({
  arguments: [PARAM],
  options: { ...CLIENT },
  examples: ['flotilla param show my/leader'],
  async run({ args, options }, context) {
    const answer = await withHub(options, context, ({ profiles }) =>
      profiles.definition(args.PARAM, { signal: context.signal }),
    )
    if (options.json) context.output.json('param', answer)
    else context.output.print(shownJson(answer, 2))
    return 0
  },
})

export const paramDelete = command({
  arguments: [PARAM],
  options: { ...CLIENT },
  details: 'Values of it in profiles stay.',
  examples: ['flotilla param delete my/leader'],
  async run({ args, options }, context) {
    await withHub(options, context, ({ profiles }) => profiles.undefine(args.PARAM, { signal: context.signal }))
    if (options.json) context.output.json('param', { name: args.PARAM, deleted: true })
    else context.output.print(`param ${args.PARAM} is no longer defined`)
    return 0
  },
})
