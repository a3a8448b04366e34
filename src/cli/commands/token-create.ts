import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseScope } from '../../core/scope.ts'
import { FlotillaError } from '../../core/errors.ts'
import { parseDuration } from '../../lib/duration.ts'
import { command } from '../command.ts'
import { CLIENT, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { keepToken } from '../token-file.ts'

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
    out: {
      type: 'value',
      placeholder: 'FILE',
      summary: 'write the token to a new file with mode 0600 instead of printing it',
      completes: 'file',
    },
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
    const out = options.out === undefined ? undefined : resolve(context.cwd, options.out)
    if (out !== undefined && existsSync(out)) throw new FlotillaError('USAGE', `${out} is there already`)
    const request = { label: options.label, scopes, ...(ttlMs !== undefined && { ttlMs }) }
    const answer = await withHub(options, context, ({ client }) =>
      client.createToken(request, { signal: context.signal }),
    )
    const { token: _, ...info } = answer
    if (out !== undefined) await keepToken(out, answer)
    if (options.json) context.output.json('token', options.out === undefined ? answer : info)
    else tell(answer, options.out, context)
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

function tell(
  answer: { readonly id: string; readonly token: string; readonly expiresAtMs?: number | undefined },
  out: string | undefined,
  { output }: Context,
): void {
  const until = answer.expiresAtMs === undefined ? 'for ever' : `until ${new Date(answer.expiresAtMs).toISOString()}`
  output.print(out === undefined ? answer.token : `token ${answer.id} is in ${out}`)
  output.note(`token ${answer.id}, valid ${until}\nundo: flotilla token revoke ${answer.id}`)
}
