/** What a request asks for, as an application would understand it: decoded once, so that no spelling hides the key. */
export interface RequestTarget {
  /** Starts with a slash; slashes are merged, dot segments resolved. One character for each byte. */
  readonly path: string
  readonly query: Query
}

/** Parameters by name in any case; the first of several counts. Values are decoded once, names are not. */
export type Query = (name: string) => string | undefined

const URL_CHARS = 65_536
const ORIGIN = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#]*/

/**
 * Takes a path with a query, or a whole URL. Undefined for what proxies refuse: escapes that are none, a NUL, dot
 * segments that lead out of the root.
 */
export function requestTarget(url: string): RequestTarget | undefined {
  if (url.length > URL_CHARS) return undefined
  const [beforeHash = ''] = url.replace(ORIGIN, '').split('#', 1)
  const at = beforeHash.indexOf('?')
  const path = normalPath(at === -1 ? beforeHash : beforeHash.slice(0, at))
  return path === undefined ? undefined : { path, query: queryOf(at === -1 ? '' : beforeHash.slice(at + 1)) }
}

function normalPath(raw: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) return undefined
  const decoded = decodeBytes(raw)
  if (decoded.includes('\0')) return undefined
  const parts: string[] = []
  const segments = decoded.split('/').filter((segment) => segment !== '')
  for (const segment of segments) {
    if (segment === '.') continue
    if (segment !== '..') parts.push(segment)
    else if (parts.pop() === undefined) return undefined
  }
  const endsInFolder = /(?:^|\/)\.{0,2}$/.test(decoded)
  return parts.length === 0 ? '/' : `/${parts.join('/')}${endsInFolder ? '/' : ''}`
}

/** Byte by byte: keys are ASCII, and a name in another encoding beside them must not spoil them. */
function decodeBytes(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function queryOf(text: string): Query {
  const values = new Map<string, string>()
  for (const pair of text.split('&')) {
    const at = pair.indexOf('=')
    const name = (at === -1 ? pair : pair.slice(0, at)).toLowerCase()
    if (!values.has(name)) values.set(name, at === -1 ? '' : decodeBytes(pair.slice(at + 1).replaceAll('+', ' ')))
  }
  return (name) => values.get(name)
}
