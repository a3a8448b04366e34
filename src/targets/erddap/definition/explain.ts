import { NAMED_ENTITIES } from './entities.ts'
import { charactersIn, placeAt, type Place } from '../../../lib/text-place.ts'
import type { Fault } from './xml.ts'

export interface Explanation extends Place {
  readonly message: string
}

/**
 * Says where and why `text` is malformed in the words of libxml2, which points at the cause; the parser that found the
 * fault often notices it only at the end of the file. The place is inside the text.
 */
export async function explain(text: string, fault: Fault): Promise<Explanation> {
  const found = { message: tidy(fault.message), ...placeAt(text, fault.offset) }
  if (fault.code !== 'XML_MALFORMED' || text.length > EXPLAINED_MAX) return found
  const { XmlDocument, XmlParseError, ParseOption } = await import('libxml2-wasm')
  try {
    // Around it, because a fragment may have several roots; on the first line, so that lines stay as they are.
    XmlDocument.fromString(`${OPEN}${withoutEntities(text)}${CLOSE}`, {
      option: ParseOption.XML_PARSE_BIG_LINES,
    }).dispose()
  } catch (error) {
    const detail = error instanceof XmlParseError ? error.details.find(({ level }) => level > 1) : undefined
    if (detail !== undefined) return within(text, found, detail)
  }
  return found
}

/** libxml2 needs a multiple of the text's size. */
const EXPLAINED_MAX = 16 * 1024 * 1024
const OPEN = '<erddapDatasets>'
const CLOSE = '</erddapDatasets>'

function within(text: string, found: Explanation, detail: { message: string; line: number; col: number }): Explanation {
  const message = tidy(detail.message)
  if (message.includes('erddapDatasets')) return { ...found, message: unclosed(message) ?? found.message }
  const lines = text.split('\n')
  const line = lines[detail.line - 1]
  if (line === undefined) return { ...found, message }
  const column = detail.line === 1 ? detail.col - OPEN.length : detail.col
  return { message, line: detail.line, column: Math.max(1, Math.min(column, charactersIn(line) + 1)) }
}

/** libxml2 names the tag that we put around the text where one of the text's own is not closed. */
function unclosed(message: string): string | undefined {
  const tag = /mismatch: (\S+) line (\d+) and erddapDatasets/.exec(message)
  return tag === null ? undefined : `<${tag[1]}> of line ${tag[2]} is not closed`
}

/** Entities that we take and libxml2 does not know, as blanks of the same length. */
function withoutEntities(text: string): string {
  return text.replace(/&([A-Za-z][A-Za-z0-9]*);/g, (reference, name: string) =>
    NAMED_ENTITIES.has(name) ? ' '.repeat(reference.length) : reference,
  )
}

function tidy(message: string): string {
  return message.trim().replace(/\.$/, '').replace(/\s+/g, ' ').slice(0, 300)
}
