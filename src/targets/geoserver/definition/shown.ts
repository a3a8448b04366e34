import type { ShownLine } from '../../../lib/line-diff.ts'
import { parseFile } from './parsed.ts'
import { isSecretAttribute, isSecretName, isSecretText, MASK, withoutCredentials } from './secrets.ts'
import type { Element } from './xml.ts'

/** Longer ones are no configuration that people read. */
const TEXT_MAX = 4 * 1024 * 1024
const INDENT = '  '

/**
 * A file of a catalog, line by line, as people may see it: passwords and what is encrypted are masked. One element a line, whatever
 * white space the file has. Undefined for what is no text.
 */
export function shownLines(path: string, bytes: Uint8Array): readonly ShownLine[] | undefined {
  const { xml } = parseFile(path, bytes)
  if (xml !== undefined) return [...elementLines(xml.root, '')]
  if (bytes.byteLength > TEXT_MAX) return undefined
  const text = textOf(bytes)
  if (text === undefined) return undefined
  const shown = /(?:^|\/)users\.properties$/i.test(path) ? userLine : propertyLine
  const lines = text.split(/\r?\n/).map((raw) => ({ raw, text: shown(raw) }))
  return lines.at(-1)?.raw === '' ? lines.slice(0, -1) : lines
}

function* elementLines(element: Element, indent: string): Generator<ShownLine> {
  const { name, children, text } = element
  const [raw, shown] = [false, true].map((isMasked) => `${indent}<${name}${attributesOf(element, isMasked)}`)
  if (children.length === 0) {
    const masked = isSecretText(element) ? MASK : withoutCredentials(text)
    const end = (content: string): string => (content === '' ? '/>' : `>${content}</${name}>`)
    yield { raw: raw + end(text), text: shown + end(masked) }
    return
  }
  yield { raw: `${raw}>`, text: `${shown}>` }
  for (const child of children) yield* elementLines(child, indent + INDENT)
  yield { raw: `${indent}</${name}>`, text: `${indent}</${name}>` }
}

function attributesOf({ attributes }: Element, isMasked: boolean): string {
  return Object.entries(attributes)
    .map(([name, value]) => {
      const isHidden = isMasked && (isSecretAttribute(value) || isSecretName(name))
      return ` ${name}="${isHidden ? MASK : isMasked ? withoutCredentials(value) : value}"`
    })
    .join('')
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

/** `name=value`, of which the name tells whether the value may be seen. */
function propertyLine(line: string): string {
  const [, before = '', name = '', sign = ''] = /^(\s*)([\w.-]+)(\s*[=:]\s*)\S/.exec(line) ?? []
  return isSecretName(name) ? `${before}${name}${sign}${MASK}` : withoutCredentials(line)
}

/** facts: `users.properties` of GeoServer before 2.2 has `name=password,ROLE,…` in each line. */
function userLine(line: string): string {
  return line.replace(/^(\s*[^#!\s][^=:]*[=:]\s*)[^,]+/, `$1${MASK}`)
}
