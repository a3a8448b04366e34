import { parseScope } from '../../core/scope.ts'
import { FlotillaError } from '../../core/errors.ts'
import { parseDuration } from '../../lib/duration.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import { giveToken, OUT } from '../token-file.ts'

export const tokenCreate = command({
  arguments: [],
  options: {
    label: {
      type: 'value',
      placeholder: 'TEXT',
      summary: 'for whom or what; stands as author in the history',
      required: true,
    },
    scope: { type: 'list', placeholder: 'SCOPE', summary: 'read:PREFIX or write:PREFIX' },
    role: {
      type: 'value',
      placeholder: 'ROLE',
      summary: 'scopes for a common case',
      choices: ['reader', 'releaser', 'operator'],
    },
    ttl: {
      type: 'value',
      placeholder: 'TIME',
      summary: 'how long it is valid, such as 90d; 0 for ever',
      fallback: '90d',
    },
    ...OUT,
    ...CLIENT,
  },
  details:
    'A token can do what its scopes say and nothing else: read:node/ sees the status, write:release/datasets releases. ' +
    'It is shown this once; the hub keeps only a hash.',
  examples: [
    'flotilla token create --label "status page" --role reader --out reader.token',
    'flotilla token create --label anna --role releaser --ttl 30d',
    'flotilla token create --label backup --scope read:release/ --scope read:blob/',
  ],
  async run({ options }, context) {
    const scopes = [...(options.role === undefined ? [] : ROLES[options.role]), ...options.scope]
    if (scopes.length === 0)
      throw new FlotillaError('USAGE', 'a token without scopes can do nothing', { hint: 'Add --role or --scope.' })
    for (const scope of scopes) parseScope(scope)
    const ttlMs = ttlOf(options.ttl)
    const request = { label: options.label, scopes, ...(ttlMs !== undefined && { ttlMs }) }
    const make = () =>
      withHub(options, context, ({ client }) => client.createToken(request, { signal: context.signal }))
    const { id, expiresAtMs } = await giveToken(make, options, context)
    const until = expiresAtMs === undefined ? 'for ever' : `until ${new Date(expiresAtMs).toISOString()}`
    if (!options.json) context.output.note(`token ${id}, valid ${until}\nundo: flotilla token revoke ${id}`)
    return 0
  },
})

// The last two are what `flotilla proxy explain` goes by; the status tells the same.
const READER = ['read:node/', 'read:release/', 'read:desired/', 'read:request/', 'read:rollout/', 'read:drain/']

const RELEASER = [...READER, 'write:release/', 'write:request/', 'read:blob/', 'write:blob/']

const ROLES = {
  reader: READER,
  releaser: RELEASER,
  operator: [...RELEASER, 'write:policy/', 'write:drain/', 'write:list/', 'read:list/'],
} as const

function ttlOf(text: string): number | undefined {
  if (text === '0') return undefined
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw new FlotillaError('USAGE', `--ttl takes a time such as 12h or 90d, not "${text}"`)
}
