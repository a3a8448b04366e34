import type { Handler } from './http.ts'

/** Method and pattern, such as `GET /rest/workspaces/:ws`; `*rest` at its end takes all that follows. */
export type Routes = Readonly<Record<string, Handler>>

/** What is found for a path and method. */
interface Found {
  readonly handler: Handler
  readonly params: Record<string, string>
  /** How many parts of its pattern are names. */
  readonly names: number
}

export class Router {
  readonly #routes: { readonly method: string; readonly parts: readonly string[]; readonly handler: Handler }[] = []

  constructor(...tables: readonly Routes[]) {
    for (const [key, handler] of tables.flatMap((table) => Object.entries(table))) {
      const [methods = '', pattern = ''] = key.split(' ')
      for (const method of methods.split('|')) this.#routes.push({ method, parts: pattern.split('/'), handler })
    }
  }

  /** The handlers of a path by method; where several patterns fit, the one with the fewest names. */
  find(path: string): ReadonlyMap<string, Found> {
    const parts = path.split('/')
    const best = new Map<string, Found>()
    for (const { method, parts: pattern, handler } of this.#routes) {
      const params = fit(pattern, parts)
      if (params === undefined) continue
      const names = pattern.filter(isName).length
      if (names < (best.get(method)?.names ?? Infinity)) best.set(method, { handler, params, names })
    }
    return best
  }
}

function isName(part: string): boolean {
  return part.startsWith(':') || part.startsWith('*')
}

function fit(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {}
  for (const [at, part] of pattern.entries()) {
    if (part.startsWith('*')) return { ...params, [part.slice(1)]: parts.slice(at).join('/') }
    const given = parts[at]
    if (given === undefined) return undefined
    if (part.startsWith(':')) params[part.slice(1)] = decodeURIComponent(given)
    else if (part !== given) return undefined
  }
  return pattern.length === parts.length ? params : undefined
}
