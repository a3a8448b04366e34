import { isAscii, isUtf8 } from 'node:buffer'
import { charactersIn, countLines, type Place } from './text-place.ts'

/** The content of a file, whatever its encoding was. */
export interface Decoded {
  /** Without a byte order mark; the file's own bytes where nothing had to be changed. */
  readonly utf8: Buffer
  /** The XML declaration with which it begins, if it has one. */
  readonly declaration: string
  readonly warning?: EncodingFinding
}

export interface EncodingFinding extends Place {
  readonly code: 'XML_ENCODING' | 'XML_MALFORMED'
  readonly message: string
  readonly hint: string
}

const AS_UTF8 = 'Save the file in UTF-8.'
const DECLARATION =
  /^<\?xml\s+version\s*=\s*(?:"1\.\d+"|'1\.\d+')(?:\s+encoding\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)'))?(?:\s+standalone\s*=\s*(?:"(?:yes|no)"|'(?:yes|no)'))?\s*\?>/

/** Reads the bytes of an XML file by its declaration; answers what is wrong if they do not fit it. */
export function decodeXml(bytes: Uint8Array): Decoded | EncodingFinding {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (isUtf16(whole)) return { ...START, code: 'XML_ENCODING', message: 'the file is UTF-16', hint: AS_UTF8 }
  const content = hasBom(whole) ? whole.subarray(3) : whole
  const head = content.toString('latin1', 0, 512)
  const declaration = DECLARATION.exec(head)
  if (declaration === null && /^<\?xml\s/i.test(head)) {
    const hint = 'Write <?xml version="1.0" encoding="UTF-8" ?>, or leave the line out.'
    return { ...START, code: 'XML_MALFORMED', message: 'the XML declaration is not well-formed', hint }
  }
  const name = declaration?.[1] ?? declaration?.[2] ?? 'UTF-8'
  return decodeAs(content, declaration?.[0] ?? '', name)
}

/** The text, its declaration blanked out so that offsets and lines are those of the file. */
export function textOf({ utf8, declaration }: Decoded): string {
  // Much faster, and half the memory.
  const text = utf8.toString(isAscii(utf8) ? 'latin1' : 'utf8')
  return declaration === '' ? text : declaration.replace(/[^\n]/g, ' ') + text.slice(declaration.length)
}

const START: Place = { line: 1, column: 1 }

type Encoding = 'utf-8' | 'latin1' | 'windows-1252'

const ENCODINGS: ReadonlyMap<string, Encoding> = new Map([
  ['utf-8', 'utf-8'],
  ['utf8', 'utf-8'],
  ['us-ascii', 'utf-8'],
  ['ascii', 'utf-8'],
  ['iso-8859-1', 'latin1'],
  ['iso8859-1', 'latin1'],
  ['iso_8859-1', 'latin1'],
  ['latin1', 'latin1'],
  ['latin-1', 'latin1'],
  ['windows-1252', 'windows-1252'],
  ['cp1252', 'windows-1252'],
])

function decodeAs(content: Buffer, declaration: string, name: string): Decoded | EncodingFinding {
  const encoding = ENCODINGS.get(name.toLowerCase())
  if (encoding === undefined) {
    return { ...START, code: 'XML_ENCODING', message: `the encoding "${name}" is not supported`, hint: AS_UTF8 }
  }
  if (isAscii(content)) return { utf8: content, declaration }
  if (encoding === 'utf-8') return isUtf8(content) ? { utf8: content, declaration } : notUtf8(content)
  const unused = encoding === 'latin1' ? /[\u0080-\u009f]/ : /[\u0081\u008d\u008f\u0090\u009d]/
  const latin1 = content.toString('latin1')
  const wrong = unused.exec(latin1)
  if (wrong !== null) return notInEncoding(latin1, wrong.index, name)
  const utf8 = Buffer.from(encoding === 'latin1' ? latin1 : new TextDecoder('windows-1252').decode(content))
  return { utf8, declaration, ...(isUtf8(content) && { warning: looksLikeUtf8(latin1, name) }) }
}

function notUtf8(content: Buffer): EncodingFinding {
  let line = 1
  let start = 0
  for (let end = content.indexOf(10); end !== -1; end = content.indexOf(10, start)) {
    if (!isUtf8(content.subarray(start, end))) break
    line++
    start = end + 1
  }
  const end = content.indexOf(10, start)
  const read = content.subarray(start, end === -1 ? content.length : end).toString('utf8')
  return {
    code: 'XML_ENCODING',
    message: 'the bytes are not UTF-8',
    hint: 'Save the file in UTF-8, or declare its encoding: <?xml version="1.0" encoding="ISO-8859-1" ?>.',
    line,
    column: charactersIn(read.slice(0, read.indexOf('\uFFFD'))) + 1,
  }
}

function notInEncoding(latin1: string, at: number, name: string): EncodingFinding {
  const byte = latin1.charCodeAt(at).toString(16).toUpperCase()
  return {
    code: 'XML_ENCODING',
    message: `the byte 0x${byte} is no character of ${name}`,
    hint: `${AS_UTF8} It may be windows-1252 under another name.`,
    ...placeIn(latin1, at),
  }
}

function looksLikeUtf8(latin1: string, name: string): EncodingFinding {
  return {
    code: 'XML_ENCODING',
    message: `the file declares ${name}, but its bytes look like UTF-8`,
    hint: 'Declare what it is; as it stands, letters with accents come out wrong.',
    ...placeIn(latin1, latin1.search(/[\u0080-\u00ff]/)),
  }
}

function placeIn(latin1: string, at: number): Place {
  return { line: countLines(latin1, 0, at) + 1, column: at - latin1.lastIndexOf('\n', at) }
}

function hasBom(content: Buffer): boolean {
  return content.length >= 3 && content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf
}

function isUtf16(content: Buffer): boolean {
  const [first, second] = content
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true
  return (first === 0 && second === 0x3c) || (first === 0x3c && second === 0)
}
