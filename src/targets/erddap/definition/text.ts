import { ERDDAP_ENTITIES, NAMED_ENTITIES } from './entities.ts'

/** Part of well-formed XML: between mark-up that hides its content, `text` includes the tags. */
export interface Span {
  readonly kind: 'text' | 'comment' | 'cdata'
  readonly start: number
  readonly end: number
}

/** Cuts well-formed XML into comments, CDATA sections and the rest, in order, leaving nothing out. */
export function spansOf(text: string): readonly Span[] {
  const spans: Span[] = []
  let done = 0
  for (let at = text.indexOf('<!'); at !== -1; at = text.indexOf('<!', done)) {
    const kind = text.startsWith('<!--', at) ? 'comment' : 'cdata'
    const close = kind === 'comment' ? '-->' : ']]>'
    if (at > done) spans.push({ kind: 'text', start: done, end: at })
    const end = text.indexOf(close, at + 4)
    done = end === -1 ? text.length : end + close.length
    spans.push({ kind, start: at, end: done })
  }
  if (done < text.length) spans.push({ kind: 'text', start: done, end: text.length })
  return spans
}

/** `text` with each of its spans replaced by what `change` makes of it. */
export function mapSpans(text: string, change: (part: string, span: Span) => string): string {
  return spansOf(text)
    .map((span) => change(text.slice(span.start, span.end), span))
    .join('')
}

/**
 * Content of an element without children as ERDDAP's own reader gives it: comments out, CR out, trimmed, then decoded.
 * `raw` is what stands between its tags.
 */
export function contentOf(raw: string): string {
  if (!/[<&\r]/.test(raw)) return trim(raw)
  const text = mapSpans(raw, (part, { kind }) => {
    if (kind === 'comment') return ''
    return kind === 'cdata' ? part.slice('<![CDATA['.length, -']]>'.length).replaceAll('&', '&amp;') : part
  })
  return decodeReferences(trim(text.replaceAll('\r', '')))
}

/** A no-break space counts as white space, as in ERDDAP. */
function trim(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isWhite(text.charCodeAt(start))) start++
  while (end > start && isWhite(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isWhite(code: number): boolean {
  return (code >= 1 && code <= 32) || code === 160
}

const REFERENCE = /&(?:#x([0-9A-Fa-f]+)|#([0-9]+)|([A-Za-z][A-Za-z0-9]*));/g

/** References as ERDDAP reads them. What it does not know stays as it is written: other names, numbers from 65535 on. */
export function decodeReferences(text: string): string {
  return text.replace(REFERENCE, (reference, hex: string | undefined, decimal: string | undefined, name: string) => {
    const code = codeOf(hex, decimal) ?? ERDDAP_ENTITIES.get(name)
    return code === undefined || code >= 0xffff ? reference : String.fromCharCode(code)
  })
}

function codeOf(hex: string | undefined, decimal: string | undefined): number | undefined {
  if (hex !== undefined) return Number.parseInt(hex, 16)
  return decimal === undefined ? undefined : Number.parseInt(decimal, 10)
}

/**
 * Writes references that ERDDAP would show as text in a form it reads: entities of HTML and `&apos;` as numbers, numbers
 * above U+FFFF as the character. Numbers, because ERDDAP trims a no-break space but not `&#160;`. Lines stay lines.
 */
export function readableReferences(text: string): string {
  if (!needsRewriting(text)) return text
  return mapSpans(text, (part, { kind }) => {
    if (kind !== 'text') return part
    return part.replace(REFERENCE, (reference, hex: string | undefined, decimal: string | undefined, name: string) => {
      const code = codeOf(hex, decimal)
      if (code !== undefined) return code > 0xffff ? String.fromCodePoint(code) : reference
      if (name === 'amp' || name === 'lt' || name === 'gt' || name === 'quot') return reference
      return `&#${NAMED_ENTITIES.get(name)};`
    })
  })
}

const READ_BY_ALL = ['&lt;', '&gt;', '&amp;', '&quot;']

function needsRewriting(text: string): boolean {
  for (let at = text.indexOf('&'); at !== -1; at = text.indexOf('&', at + 1)) {
    if (!READ_BY_ALL.some((reference) => text.startsWith(reference, at))) return true
  }
  return false
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Any text as it must be written in XML, between tags and in attribute values, so that ERDDAP reads it back. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)
}
