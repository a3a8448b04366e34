// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** Text from elsewhere, made harmless for a terminal: control characters are shown as `\u001b`, not obeyed. */
export function clean(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Likewise, in one line, whatever stands in it: a row of a list cannot be forged by a name with a line break. */
export function cleanLine(text: string): string {
  return clean(text).replaceAll('\n', '\\u000a').replaceAll('\t', '\\u0009')
}
