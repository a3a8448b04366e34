import { keyPath } from '../../lib/safe-path.ts'
import { uriEncodePath } from '../../lib/s3/target.ts'

const CHUNK = 64 * 1024
/** After so many lines whoever sends them may let others work, even if nothing came of them. */
const LINES = 1000

/** Lines in pieces; an empty one says that there is nothing yet. */
export function* inPieces(lines: Iterable<string>): Generator<string, void> {
  let text = ''
  let count = 0
  for (const line of lines) {
    text += line
    if (++count % LINES !== 0 && text.length < CHUNK) continue
    yield text
    text = ''
  }
  yield text
}

export function* htmlPage(title: string, lines: Iterable<string>): Generator<string, void> {
  const shown = escapeHtml(title)
  yield `<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>${shown}</title></head><body>\n<h1>${shown}</h1>\n`
  yield* lines
  yield '</body></html>\n'
}

export function escapeHtml(text: string): string {
  // A control character would be a fault in the page, or hide what stands before it.
  // oxlint-disable-next-line no-control-regex -- they are what has to be escaped
  return text.replace(/[&<>"'\u0000-\u001f\u007f-\u009f]/g, (one) => NAMED[one] ?? '\ufffd')
}

const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Relative, and never taken for one with a scheme, whatever colons are in it. */
export function linkTo(path: string, text: string): string {
  return `<a href="./${uriEncodePath(path)}">${escapeHtml(text)}</a>`
}

/** As one word of a shell. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Whether wget would bring a file of that key to where it belongs: others are shown, but are no links. */
export function isCrawlable(key: string): boolean {
  // wget decodes twice what it names a file after: `50%25` would take the place of `50%`. facts: GNU Wget 1.21.3 saves `/50%2525` as `50%`.
  // oxlint-disable-next-line no-control-regex -- wget puts other names in their place
  return keyPath(key) === key && !/[\u0000-\u001f\u007f]|%[0-9a-f]{2}/i.test(key)
}

/** As the date of this machine's clocks on the wall, which is what `date +%Y-%m-%d` says. */
export function dayOf(ms: number): string {
  const date = new Date(ms)
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function two(number: number): string {
  return String(number).padStart(2, '0')
}

export function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text)
}
