import { FlotillaError } from '../../core/errors.ts'
import type { FileEntry } from '../../core/files/entry.ts'
import { impossible } from '../../core/files/impossible.ts'
import { plainEtag } from '../../lib/file-answers.ts'

/** A piece of the listing of one folder. */
export interface Listed {
  readonly entries: readonly FileEntry[]
  /** With the slash that ends them. */
  readonly folders: readonly string[]
}

/** The largest element, and everything that stands outside of elements of files and folders. */
const ELEMENT_CHARS_MAX = 32 * 1024

/**
 * The files and folders of a `ListBucketResult`, as its bytes come. Returns the token of the next page, undefined after the last. As
 * lenient as Open-Meteo's own client: keys are written there without escapes, ETags are missing, times come with or without
 * fractions. Rejects with `BAD_LISTING` for what is no such document, is cut short or names what cannot be.
 */
export async function* listedIn(
  body: AsyncIterable<Uint8Array>,
  name: string,
): AsyncGenerator<Listed, string | undefined> {
  const bad = (why: string): FlotillaError => new FlotillaError('BAD_LISTING', `a listing of ${name} is none: ${why}`)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch {
      throw bad('it is not UTF-8')
    }
  }
  let frame = ''
  let rest = ''
  for await (const chunk of body) {
    const { entries, folders, outside, left } = elementsIn(rest + decode(chunk), bad)
    rest = left
    frame += outside
    if (frame.length > ELEMENT_CHARS_MAX || rest.length > ELEMENT_CHARS_MAX) throw bad('an element of it is too long')
    if (entries.length > 0 || folders.length > 0) yield { entries, folders }
  }
  frame += rest + decode()
  if (!frame.includes('<ListBucketResult') || !frame.trimEnd().endsWith('</ListBucketResult>')) {
    throw bad('it is not whole')
  }
  if (textOf(frame, 'IsTruncated')?.trim() !== 'true') return undefined
  const token = textOf(frame, 'NextContinuationToken')
  if (token === undefined || token === '') throw bad('it goes on, but does not say where')
  return token
}

interface Elements extends Listed {
  /** What stood before, between and after them. */
  readonly outside: string
  /** An element that has only begun. */
  readonly left: string
}

const TAGS = ['Contents', 'CommonPrefixes'] as const

function elementsIn(text: string, bad: (why: string) => FlotillaError): Elements {
  const entries: FileEntry[] = []
  const folders: string[] = []
  const next = TAGS.map((tag) => text.indexOf(`<${tag}>`))
  let outside = ''
  let at = 0
  for (;;) {
    const [file = -1, folder = -1] = next
    const isFile = file >= 0 && (folder < 0 || file < folder)
    const start = isFile ? file : folder
    if (start < 0) break
    const tag = isFile ? 'Contents' : 'CommonPrefixes'
    const end = text.indexOf(`</${tag}>`, start)
    outside += text.slice(at, start)
    at = start
    if (end < 0) return { entries, folders, outside, left: text.slice(at) }
    const element = text.slice(start, end)
    if (isFile) entries.push(entryIn(element, bad))
    else folders.push(textOf(element, 'Prefix') ?? '')
    at = end + tag.length + 3
    next[isFile ? 0 : 1] = text.indexOf(`<${tag}>`, at)
  }
  // A tag may have come by half.
  const cut = text.lastIndexOf('<')
  const safe = cut >= at && !text.includes('>', cut) ? cut : text.length
  return { entries, folders, outside: outside + text.slice(at, safe), left: text.slice(safe) }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/
const SIZE = /^\d{1,16}$/

function entryIn(element: string, bad: (why: string) => FlotillaError): FileEntry {
  const time = textOf(element, 'LastModified')?.trim() ?? ''
  const size = textOf(element, 'Size')?.trim() ?? ''
  const entry = {
    key: textOf(element, 'Key') ?? '',
    size: SIZE.test(size) ? Number(size) : -1,
    modifiedMs: TIME.test(time) ? Date.parse(time) : Number.NaN,
    etag: plainEtag(textOf(element, 'ETag')?.trim()),
  }
  const why = impossible(entry)
  if (why !== undefined) throw bad(why)
  return entry
}

function textOf(element: string, tag: string): string | undefined {
  const start = element.indexOf(`<${tag}>`)
  const end = start < 0 ? -1 : element.indexOf(`</${tag}>`, start)
  return end < 0 ? undefined : unescaped(element.slice(start + tag.length + 2, end))
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** What is no escape stays as it is. */
function unescaped(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([\da-f]{1,6}));/gi, (all, name, decimal, hex) => {
    if (name !== undefined) return NAMED[String(name).toLowerCase()] ?? all
    const point = decimal === undefined ? Number.parseInt(String(hex), 16) : Number(decimal)
    return point <= 0x10ffff ? String.fromCodePoint(point) : all
  })
}
