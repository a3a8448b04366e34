import { cleanLine } from '../../../lib/clean.ts'

const CHARS_MAX = 300

/**
 * What GeoServer says, in one line without markup. Of an error page its message; of a text its first line. Passwords that it repeats,
 * encrypted or not, are left out.
 */
export function wordsOf({ type, text }: { readonly type: string; readonly text: string }): string {
  const line = type.includes('html') || /^\s*<(?:!doctype|html)/i.test(text) ? messageOfPage(text) : firstLine(text)
  return cleanLine(withoutSecrets(line)).slice(0, CHARS_MAX)
}

/** Jetty and Tomcat each have a page of their own. */
function messageOfPage(page: string): string {
  const found =
    /<th>MESSAGE:<\/th><td>([^<]*)</i.exec(page) ??
    /<b>Message<\/b>([^<]*)</i.exec(page) ??
    /<title>(?:Error \d{3} )?([^<]*)</i.exec(page)
  return unescaped(found?.[1] ?? '').trim()
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? ''
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", '#39': "'" }

function unescaped(text: string): string {
  return text.replace(/&(lt|gt|amp|quot|apos|#39);/g, (_, name: string) => ENTITIES[name] ?? '')
}

/** facts: GeoServer marks how a password is kept by what stands before it: `crypt1:`, `crypt2:`, `plain:`, `digest1:`. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\b(crypt[12]|plain|digest1|empty):[^\s<"']+/g, '$1:…')
    .replace(/(passw(?:or)?d["']?\s*[=:]\s*["']?)[^\s<"',;&]+/gi, '$1…')
    .replace(/\/\/[^\s/@:]+:[^\s/@]+@/g, '//…@')
}
