import { FlotillaError } from '../../core/errors.ts'

/*
 * What stands in nginx's configuration comes from data in part. Nothing of it is pasted: a word is quoted, and what no
 * configuration can hold is refused.
 */

/** nginx reads a word through a buffer of 4,096 bytes. */
const WORD_BYTES = 4000

/** One word, exactly as it is. Throws `CONFIG_INVALID` for control characters and what is too long. */
export function quoted(text: string): string {
  if (/^[\w.:@~+/#$-]{0,300}$/.test(text)) return `"${text}"`
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(text))
    throw refused('a word of the configuration', text, 'it holds a control character')
  if (Buffer.byteLength(text) > WORD_BYTES) throw refused('a word of the configuration', text, 'it is too long')
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}

/** A path that may stand anywhere: nginx replaces `$` and `*` in some places, Lua quotes its strings in another way. */
export function plainPath(path: string): string {
  if (/^\/[A-Za-z0-9_.@+/-]*$/.test(path)) return path
  throw refused('the path', path, 'nginx’s files take paths of A-Z a-z 0-9 _ . @ + - / only')
}

/** Matches exactly this text. */
export function literal(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_/]/g, (char) => (char < '\u0080' ? `\\${char}` : char))
}

function refused(what: string, text: string, why: string): FlotillaError {
  return new FlotillaError('CONFIG_INVALID', `${what} ${JSON.stringify(text.slice(0, 200))} cannot be used: ${why}`)
}

/** A word in a place where nginx looks for variables, exactly as it is. Needs `geo $flotilla_dollar { default "$"; }`. */
export function pathWithVariables(path: string): string {
  return quoted(path).replaceAll('$', '${flotilla_dollar}')
}
