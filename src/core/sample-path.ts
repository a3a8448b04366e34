/**
 * Whether a path with its query, put behind an address, may ask for something that does not lie under that address.
 * Servers differ in what they decode, and when, so everything that any of them could take for a step upwards counts:
 * `..` in whatever encoding, before a `;` too, a backslash, and what cannot be decoded.
 */
export function leavesBase(path: string): boolean {
  if (!/^\/(?!\/)[!-~]*$/.test(path) || path.includes('#') || path.includes('\\')) return true
  const [way = ''] = path.split('?', 1)
  const decoded = decodeAll(way)
  if (decoded === undefined || /[\\\p{Cc}]/u.test(decoded)) return true
  return decoded.split('/').some((part) => /^\.{1,2}(?:;|$)/.test(part))
}

/** What is left when every layer of encoding is taken off; undefined for what is malformed, or has too many. */
function decodeAll(text: string): string | undefined {
  let decoded = text
  for (let layers = 0; layers < LAYERS_MAX; layers++) {
    let next: string
    try {
      next = decodeURIComponent(decoded)
    } catch {
      return undefined
    }
    if (next === decoded) return decoded
    decoded = next
  }
  return undefined
}

const LAYERS_MAX = 4
