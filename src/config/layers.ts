import type { ConfigDocument } from './document.ts'
import { environmentName, type Setting } from './describe.ts'

/** Where the values come from. Later ones win: file, environment, flags. */
export interface Sources {
  readonly document?: ConfigDocument | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** By dotted path, such as `peer.listen`; undefined ones were not given. */
  readonly flags: Readonly<Record<string, unknown>>
}

export interface Merged {
  readonly data: Record<string, unknown>
  /** Dotted path → `FLOTILLA_LISTEN`, `--listen`. What is not here comes from the file or is a default. */
  readonly origins: ReadonlyMap<string, string>
}

export function merge(settings: readonly Setting[], sources: Sources): Merged {
  const data = structuredClone(sources.document?.data ?? {}) as Record<string, unknown>
  const origins = new Map<string, string>()
  const put = (path: readonly string[], value: unknown, origin: string): void => {
    setAt(data, path, value)
    origins.set(path.join('.'), origin)
  }
  for (const [name, text] of Object.entries(sources.env)) {
    const found = text === undefined || text === '' ? undefined : fromEnvironment(settings, name)
    if (found !== undefined) put(found.path, coerce(found.setting, text ?? ''), name)
  }
  for (const [path, value] of Object.entries(sources.flags)) {
    if (value !== undefined) put(path.split('.'), value, `--${flagName(path)}`)
  }
  return { data, origins }
}

/** `peer.listen` → `peer-listen`. */
export function flagName(path: string): string {
  return path.replaceAll('.', '-').replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** A part of a path that is a name of one's own is written as it is: `FLOTILLA_VALUES_data`. */
const OWN_NAME = '([A-Za-z0-9][A-Za-z0-9_.-]*?)'

function fromEnvironment(settings: readonly Setting[], name: string): { setting: Setting; path: string[] } | undefined {
  if (!name.startsWith('FLOTILLA_')) return undefined
  for (const setting of settings) {
    const pattern = environmentName(setting.path).replaceAll('*', OWN_NAME)
    const match = new RegExp(`^${pattern}$`).exec(name)
    if (match === null) continue
    const own = match.slice(1)
    return { setting, path: setting.path.map((part) => (part === '*' ? (own.shift() ?? part) : part)) }
  }
  return undefined
}

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  '1': true,
  false: false,
  no: false,
  '0': false,
}

/** Leaves what it cannot read as it is: the schema then says what it takes. */
function coerce(setting: Setting, text: string): unknown {
  if (setting.type === 'number' && /^-?\d+(?:\.\d+)?$/.test(text)) return Number(text)
  if (setting.type === 'yes or no') return BOOLEANS[text.toLowerCase()] ?? text
  if (setting.type === 'list') return text.split(',').map((item) => item.trim())
  return text
}

function setAt(data: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const last = path.at(-1)
  let node = data
  for (const part of path.slice(0, -1)) {
    const child = node[part] ?? {}
    // A text where settings are expected: the schema reports it.
    if (typeof child !== 'object') return
    node[part] = child
    node = child as Record<string, unknown>
  }
  if (last !== undefined) node[last] = value
}

export function getAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let node = data
  for (const part of path) {
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, part)) return undefined
    node = (node as Record<PropertyKey, unknown>)[part]
  }
  return node
}
