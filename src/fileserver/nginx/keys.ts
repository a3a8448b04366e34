import { literal, quoted } from '../../lib/nginx/quote.ts'
import type { Secret } from '../../lib/secret.ts'
import { CONTENT_TYPES } from '../content-types.ts'

/** Who may read what, as nginx is told it. */
export interface ReadRights {
  readonly keys: readonly ReadKey[]
  /** Who may read without a key: nobody, anybody what ends in `.json` (as Open-Meteo's servers have it), or anybody. */
  readonly open: 'nothing' | 'json' | 'everything'
}

export interface ReadKey {
  readonly key: Secret
  /** What it may read: `tree` or `tree/prefix`; everything where there is none. */
  readonly scopes: readonly string[]
}

/** The key in nginx's variable `given`, plain or encoded → a number for what it may do. Of texts nginx ignores the case, so these are patterns. */
export function classMap({ keys }: ReadRights, given: string): string {
  const lines = keys.flatMap(({ key }, index) => {
    const text = key.reveal()
    const forms = new Set([text, encodeURIComponent(text)])
    return [...forms].map((form) => `  ${quoted(`~^${literal(form)}\\z`)} ${index + 1};\n`)
  })
  return `map ${given} $flotilla_class {\n  default 0;\n${lines.join('')}}`
}

/** `path`: nginx's variable of `/TREE/KEY`, decoded. */
export function allowedMap({ keys, open }: ReadRights, path: string): string {
  if (open === 'everything') return 'map "" $flotilla_allowed {\n  default 1;\n}'
  const patterns = keys.flatMap(({ scopes }, index) =>
    scopes.length === 0 ? [`^${index + 1}:`] : scopes.map((scope) => `^${index + 1}:/${literal(ofTree(scope))}`),
  )
  if (open === 'json') patterns.push(String.raw`\.json\z`)
  const lines = patterns.map((pattern) => `  ${quoted(`~${pattern}`)} 1;\n`)
  return `map "$flotilla_class:${path}" $flotilla_allowed {\n  default 0;\n${lines.join('')}}`
}

/** A tree alone means what is in it, not what its name begins. */
function ofTree(scope: string): string {
  return scope.includes('/') ? scope : `${scope}/`
}

/** Lines of nginx's `types`, those of the file service. */
export const TYPES = Object.entries(CONTENT_TYPES)
  .map(([end, type]) => `    ${quoted(type)} ${end};\n`)
  .join('')
