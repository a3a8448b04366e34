import { sha256 } from '../../src/lib/hash.ts'
import type { Reader } from './reader.ts'
import { isChildTag, readerOf, readsFiles } from './tags.ts'

/** One `<dataset>` as it was read: what a served dataset is made of. */
export interface Definition {
  readonly id: string
  readonly type: string
  /** The class that reads the type: the name in the log. */
  readonly reader: string
  /** SHA-256 of the element's text in datasets.xml. */
  readonly digest: string
  /** Simple child tags, such as `fileDir`, by name; the last one counts. */
  readonly values: ReadonlyMap<string, string>
  readonly attributes: readonly Attribute[]
  readonly axes: readonly Variable[]
  readonly variables: readonly Variable[]
  /** Nested datasets that are not `active="false"`. */
  readonly children: readonly Definition[]
}

export interface Attribute {
  readonly name: string
  /** As ERDDAP calls it: String, float, double, int, … */
  readonly type: string
  readonly value: string
}

export interface Variable {
  readonly sourceName: string
  readonly destinationName: string
  readonly dataType: string
  readonly attributes: readonly Attribute[]
}

/** A fault of one dataset: it does not load, and the reading of the file goes on behind it. */
export class DatasetError extends Error {}

export function isGrid(definition: Definition): boolean {
  return definition.type.startsWith('EDDGrid')
}

export function isFileBased(definition: Definition): boolean {
  return readsFiles(definition.reader)
}

/** The dataset's own attribute, or the one of its first child, which composite datasets take theirs from. */
export function attribute(definition: Definition, name: string): string | undefined {
  const own = definition.attributes.find((attribute) => attribute.name === name)?.value
  const first = definition.children[0]
  return own ?? (first === undefined ? undefined : attribute(first, name))
}

/**
 * Reads the `<dataset>` whose start tag the reader is at, to its end tag. Throws `DatasetError` for what stops this
 * dataset only, and the reader's own error for an unknown tag, which stops the file.
 */
export function readDataset(reader: Reader, version: string): Definition {
  const id = reader.attribute('datasetID') ?? ''
  const type = reader.attribute('type')
  if (type === undefined) throw new DatasetError(`${before(reader)}: Missing <dataset> type`)
  const readBy = readerOf(type, version)
  if (readBy === undefined) throw new DatasetError(`${before(reader)}: Unexpected <dataset> type=${type}.`)
  const start = reader.tagStart
  const depth = reader.depth
  const values = new Map<string, string>()
  const parts = { attributes: [] as Attribute[], axes: [] as Variable[], variables: [] as Variable[] }
  const children: Definition[] = []
  for (;;) {
    const tag = reader.next()
    if (reader.depth === depth) break
    const name = tag.startsWith('/') ? tag.slice(1) : tag
    if (reader.depth > depth + 1 || !isChildTag(readBy, name, version)) reader.unexpectedTag()
    if (tag === 'addAttributes') parts.attributes = readAttributes(reader)
    else if (tag === 'axisVariable') parts.axes.push(readVariable(reader, AXIS_TAGS))
    else if (tag === 'dataVariable') parts.variables.push(readVariable(reader, VARIABLE_TAGS))
    else if (tag === 'dataset') readChild(reader, version, type, children)
    else if (tag === 'sourceUrls') skipTo(reader, depth + 1)
    else if (tag !== name) values.set(name, reader.content)
  }
  return { id, type, reader: readBy, digest: sha256(reader.source(start)), values, ...parts, children }
}

/** Reads on until the end tag of the element at `depth`. */
export function skipTo(reader: Reader, depth: number): void {
  while (reader.depth > depth || !reader.tag.startsWith('/')) reader.next()
}

function readChild(reader: Reader, version: string, parent: string, children: Definition[]): void {
  const { depth } = reader
  if (reader.attribute('active') === 'false') return skipTo(reader, depth)
  try {
    children.push(readDataset(reader, version))
  } catch (error) {
    // Side by side, only the first child is needed: it has the metadata.
    if (parent !== 'EDDGridSideBySide' || children.length === 0 || !(error instanceof DatasetError)) throw error
    skipTo(reader, depth)
  }
}

const AXIS_TAGS = new Set(['sourceName', 'destinationName', 'addAttributes', 'values'])
const VARIABLE_TAGS = new Set(['sourceName', 'destinationName', 'addAttributes', 'dataType'])

function readVariable(reader: Reader, allowed: ReadonlySet<string>): Variable {
  const { depth } = reader
  const values = new Map<string, string>()
  let attributes: Attribute[] = []
  for (;;) {
    const tag = reader.next()
    if (reader.depth === depth) break
    const name = tag.replace('/', '')
    if (reader.depth > depth + 1 || !allowed.has(name)) reader.unexpectedTag()
    if (tag === 'addAttributes') attributes = readAttributes(reader)
    else if (tag !== name) values.set(name, reader.content)
  }
  const sourceName = values.get('sourceName') ?? ''
  const destinationName = values.get('destinationName') ?? ''
  return {
    sourceName,
    destinationName: destinationName === '' ? sourceName : destinationName,
    dataType: values.get('dataType') ?? 'double',
    attributes,
  }
}

function readAttributes(reader: Reader): Attribute[] {
  const { depth } = reader
  const found = new Map<string, Attribute>()
  for (;;) {
    const tag = reader.next()
    if (reader.depth === depth) break
    if (reader.depth > depth + 1 || tag !== 'att') reader.unexpectedTag()
    const name = reader.attribute('name') ?? ''
    const type = reader.attribute('type') ?? 'string'
    if (reader.next() !== '/att') reader.unexpectedTag()
    if (name.trim() === '') {
      throw new DatasetError(
        `datasets.xml error on line #${reader.line}: An <att> tag doesn't have a "name" attribute.`,
      )
    }
    found.set(name, { name, type: javaType(type), value: reader.content })
  }
  // An empty value or "null" takes the attribute away.
  return [...found.values()].filter(({ value }) => value !== '' && value !== 'null')
}

function javaType(type: string): string {
  const element = type.replace(/List$/, '')
  if (element === 'string') return 'String'
  return element === 'unsignedShort' ? 'char' : element
}

function before(reader: Reader): string {
  return `datasets.xml error on or before line #${reader.line}`
}
