import { FlotillaError } from './errors.ts'

export type Verb = 'read' | 'write'

/** What a token may do: one verb on the keys that start with one prefix. Written `read:node/`, `write:` for all keys. */
export interface Scope {
  readonly verb: Verb
  readonly prefix: string
}

export function parseScope(text: string): Scope {
  const match = /^(read|write):([\x21-\x7e]{0,256})$/.exec(text)
  if (match === null) {
    throw new FlotillaError('BAD_REQUEST', `"${text}" is not a scope`, {
      hint: 'A scope is read:PREFIX or write:PREFIX, for example read:node/ or write:desired/datasets.',
    })
  }
  return { verb: match[1] as Verb, prefix: match[2] ?? '' }
}

export function formatScope(scope: Scope): string {
  return `${scope.verb}:${scope.prefix}`
}

/**
 * Whether `scopes` cover `verb` on everything under `key`.
 * A prefix ends at a path boundary: `read:node/a` covers `node/a` and `node/a/…`, never `node/ab`.
 */
export function allows(scopes: readonly Scope[], verb: Verb, key: string): boolean {
  return scopes.some((scope) => scope.verb === verb && covers(scope.prefix, key))
}

function covers(prefix: string, key: string): boolean {
  if (prefix === '' || key === prefix) return true
  return key.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`)
}
