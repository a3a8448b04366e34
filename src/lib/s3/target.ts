import { S3Error } from './errors.ts'

/** Where a request goes to: what stands in its first line, taken apart once for the signature and for the operation alike. */
export interface Target {
  /** As it was sent, starts with a slash. */
  readonly rawPath: string
  /** Percent-decoded once; nothing else is changed: `//`, `.` and `..` stay. */
  readonly path: string
  readonly query: readonly Parameter[]
}

/** Decoded; one that was sent without `=` has an empty value. */
export type Parameter = readonly [name: string, value: string]

/** Throws `InvalidURI` for what is no path, is wrongly encoded or no UTF-8. */
export function parseTarget(url: string): Target {
  const target = asciiOnly(url)
  if (!target.startsWith('/')) throw new S3Error('InvalidURI')
  const mark = target.indexOf('?')
  const rawPath = mark === -1 ? target : target.slice(0, mark)
  return { rawPath, path: decode(rawPath), query: mark === -1 ? [] : parametersOf(target.slice(mark + 1)) }
}

/** The value of the first parameter of that name. */
export function parameter(query: readonly Parameter[], name: string): string | undefined {
  return query.find(([other]) => other === name)?.[1]
}

/** As signatures and paths have it: everything but `A-Z a-z 0-9 - . _ ~` is encoded, byte by byte, in upper case. */
export function uriEncode(text: string): string {
  return /^[\w.~-]*$/.test(text) ? text : encodeURIComponent(text).replace(/[!'()*]/g, hexOf)
}

/** Likewise, but slashes stay: for paths, and for keys in listings with `encoding-type=url`. */
export function uriEncodePath(path: string): string {
  return /^[\w.~/-]*$/.test(path) ? path : uriEncode(path).replaceAll('%2F', '/')
}

function parametersOf(query: string): Parameter[] {
  const parameters: Parameter[] = []
  for (const part of query.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = equals === -1 ? part : part.slice(0, equals)
    parameters.push([decodeForm(name), equals === -1 ? '' : decodeForm(part.slice(equals + 1))])
  }
  return parameters
}

function decodeForm(text: string): string {
  return decode(text.includes('+') ? text.replaceAll('+', ' ') : text)
}

function decode(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    throw new S3Error('InvalidURI')
  }
}

/** Node.js hands over bytes that were sent unencoded as Latin-1. */
function asciiOnly(url: string): string {
  // oxlint-disable-next-line no-control-regex -- whatever is not printable ASCII
  return /^[\x21-\x7e]*$/.test(url) ? url : url.replace(/[^\x21-\x7e]/g, hexOf)
}

function hexOf(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
