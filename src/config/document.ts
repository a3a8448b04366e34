import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml'
import { FlotillaError } from '../core/errors.ts'
import { yamlFault } from '../lib/yaml-fault.ts'

export interface Place {
  readonly line: number
  readonly column: number
}

/** A configuration file as data, which still knows where each setting stands. */
export interface ConfigDocument {
  readonly file: string
  readonly data: Readonly<Record<string, unknown>>
  /** Where the setting stands, or the nearest one around it that does. */
  placeOf(path: readonly string[]): Place
}

const BYTES_MAX = 1024 * 1024

/** Reads YAML (and with it JSON). Throws `CONFIG_INVALID` with the place. */
export function parseConfigDocument(file: string, text: string): ConfigDocument {
  if (text.length > BYTES_MAX) throw new FlotillaError('CONFIG_INVALID', `${file} is longer than 1 MiB`, { file })
  const fault = yamlFault(text)
  if (fault !== undefined) {
    const { message, ...place } = fault
    throw new FlotillaError('CONFIG_INVALID', message, { file, ...place })
  }
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  const [error] = document.errors
  if (error !== undefined) {
    const hint = 'Look at the indentation and the quotes there, and on the line before.'
    throw new FlotillaError('CONFIG_INVALID', `not valid YAML: ${error.message}`, {
      file,
      ...placeAt(error.pos[0]),
      hint,
    })
  }
  const root = document.contents as Node | null
  if (root !== null && !isMap(root)) {
    const hint = 'Write one setting a line, as in "listen: 127.0.0.1:8470".'
    throw new FlotillaError('CONFIG_INVALID', 'the file holds no settings', { file, line: 1, column: 1, hint })
  }
  return { file, data: root === null ? {} : toData(document, file), placeOf: (path) => placeAt(nearest(root, path)) }
}

/** Without aliases: nothing in a configuration of this size needs them, and they can be made to explode. */
function toData(document: Document, file: string): Readonly<Record<string, unknown>> {
  try {
    return document.toJS({ maxAliasCount: 0 }) as Record<string, unknown>
  } catch (cause) {
    throw new FlotillaError('CONFIG_INVALID', 'the file uses aliases (*name); write the value out', { file, cause })
  }
}

/** Offset of the key of the setting at `path`, or of the last key on the way that there is. */
function nearest(root: Node | null, path: readonly string[]): number {
  let offset = root?.range?.[0] ?? 0
  let node: unknown = root
  for (const part of path) {
    if (!isMap(node)) break
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === part)
    if (pair === undefined) break
    offset = (pair.key as Node).range?.[0] ?? offset
    node = pair.value
  }
  return offset
}
