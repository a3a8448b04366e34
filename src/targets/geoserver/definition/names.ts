/** How objects are called in keys: `<kind>/<workspace:name>`, or `<kind>/<name>` of what belongs to no workspace. */
export interface ObjectName {
  readonly workspace: string | undefined
  readonly name: string
}

// oxlint-disable-next-line no-control-regex -- a key is one line
const SPECIAL = /[%:\u0000-\u001f\u007f-\u009f\u2028\u2029]/g

/** What `SPECIAL` becomes, and nothing that cannot be decoded. */
const ESCAPED = /%[0-7][\dA-F]|%C2%[89][\dA-F]|%E2%80%A[89]/g

/** `name` may hold anything: its `:` would be taken for the one behind the workspace, and a key is one line. */
export function qualified(workspace: string | undefined, name: string): string {
  const safe = name.search(SPECIAL) === -1 ? name : name.replace(SPECIAL, encodeURIComponent)
  return workspace === undefined || workspace === '' ? safe : `${workspace}:${safe}`
}

/** The opposite of `qualified`. */
export function nameIn(text: string): ObjectName {
  const colon = text.indexOf(':')
  const name = text.slice(colon + 1)
  return {
    workspace: colon === -1 ? undefined : text.slice(0, colon),
    name: name.includes('%') ? name.replace(ESCAPED, decodeURIComponent) : name,
  }
}

/** Kind and qualified name of a key. */
export function splitKey(key: string): { readonly kind: string; readonly name: string } {
  const slash = key.indexOf('/')
  return { kind: key.slice(0, slash), name: key.slice(slash + 1) }
}

/** Whether a part of its name leads elsewhere in an address, however it is encoded. */
export function hasDots(key: string): boolean {
  const { workspace, name } = nameIn(splitKey(key).name)
  return [workspace, name].some((part) => part === '.' || part === '..')
}

/** What GeoServer calls an object in REST: `topp:states`, or only its name. */
export function spoken(key: string): string {
  const { workspace, name } = nameIn(splitKey(key).name)
  return workspace === undefined ? name : `${workspace}:${name}`
}

/** Reads what GeoServer calls an object: all before the first `:` is its workspace. */
export function unspoken(text: string): string {
  const colon = text.indexOf(':')
  return colon === -1 ? qualified(undefined, text) : qualified(text.slice(0, colon), text.slice(colon + 1))
}

/** A string of its own: a part of a text keeps all of the text in memory. */
export function copyOf(text: string): string {
  return Buffer.from(text).toString()
}
