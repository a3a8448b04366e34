import { SaxesParser } from 'saxes'
import { type ChecksumAlgorithm, CHECKSUM_ALGORITHMS, CHECKSUMS } from './checksums.ts'
import { S3Error } from './errors.ts'

/** How large the XML body of a request may be: ten thousand parts with the longest checksum, a thousand of the longest keys. */
export const XML_BYTES_MAX = 4 * 1024 * 1024
const PARTS_MAX = 10_000
const KEYS_MAX = 1000
const DEPTH_MAX = 8

export interface CompletedPart {
  readonly partNumber: number
  /** Without quotes. */
  readonly etag: string
  /** Base64. */
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string }
}

export interface DeleteRequest {
  /** Only failures are answered. */
  readonly isQuiet: boolean
  readonly objects: readonly ObjectToDelete[]
}

export interface ObjectToDelete {
  readonly key: string
  readonly versionId: string | undefined
  /** Deleted only if this is still its ETag; without quotes. */
  readonly etag: string | undefined
}

/** The parts in the order given. Throws `MalformedXML`, also for numbers out of 1 to 10,000, and `InvalidPartOrder`. */
export function readCompleteMultipartUpload(body: Uint8Array): readonly CompletedPart[] {
  const parts = readXml(body, 'CompleteMultipartUpload', { Part: PARTS_MAX }).all('Part')
  if (parts.length === 0) throw malformed('it has no part')
  let previous = 0
  return parts.map((part): CompletedPart => {
    const text = part.text('PartNumber') ?? ''
    const partNumber = /^\d{1,5}$/.test(text) ? Number(text) : 0
    if (partNumber < 1 || partNumber > PARTS_MAX) throw malformed('a part has no number from 1 to 10,000')
    if (partNumber <= previous) throw new S3Error('InvalidPartOrder')
    previous = partNumber
    const etag = part.text('ETag')
    if (etag === undefined) throw malformed('a part has no ETag')
    const algorithm = CHECKSUM_ALGORITHMS.find((name) => part.text(CHECKSUMS[name].element) !== undefined)
    if (algorithm === undefined) return { partNumber, etag: unquoted(etag) }
    const value = part.text(CHECKSUMS[algorithm].element) ?? ''
    return { partNumber, etag: unquoted(etag), checksum: { algorithm, value } }
  })
}

/** Throws `MalformedXML`, also for none or more than a thousand objects. */
export function readDelete(body: Uint8Array): DeleteRequest {
  const root = readXml(body, 'Delete', { Object: KEYS_MAX })
  const objects = root.all('Object').map((object) => {
    const key = object.text('Key')
    if (key === undefined || key === '') throw malformed('an object has no key')
    const etag = object.text('ETag')
    return { key, versionId: object.text('VersionId'), etag: etag === undefined ? undefined : unquoted(etag) }
  })
  if (objects.length === 0) throw malformed('it names no object')
  return { isQuiet: root.text('Quiet')?.trim() === 'true', objects }
}

/** The region that is asked for; undefined where none is. An empty body is as good as an empty document. */
export function readCreateBucketConfiguration(body: Uint8Array): string | undefined {
  if (body.byteLength === 0) return undefined
  return readXml(body, 'CreateBucketConfiguration', {}).text('LocationConstraint')
}

/** An element with the text and the elements in it, of which there are at most as many as `counts` says, or 64. */
class Element {
  readonly #children = new Map<string, Element[]>()
  value = ''

  add(name: string, limit: number): Element {
    const same = this.#children.get(name) ?? []
    if (same.length >= limit || this.#children.size > 64) throw malformed(`it has more than ${limit} of ${name}`)
    const child = new Element()
    same.push(child)
    this.#children.set(name, same)
    return child
  }

  all(name: string): readonly Element[] {
    return this.#children.get(name) ?? []
  }

  text(name: string): string | undefined {
    return this.#children.get(name)?.[0]?.value
  }
}

/** Namespaces are passed over, a document type and entities but the five of XML are refused. */
function readXml(body: Uint8Array, root: string, counts: Readonly<Record<string, number>>): Element {
  if (body.byteLength > XML_BYTES_MAX) throw new S3Error('MaxMessageLengthExceeded')
  const parser = new SaxesParser({ xmlns: false, position: false })
  const document = new Element()
  const open: Element[] = [document]
  parser.on('error', (error) => {
    throw malformed(error.message)
  })
  parser.on('doctype', () => {
    throw malformed('it has a document type')
  })
  parser.on('opentag', ({ name }) => {
    if (open.length > DEPTH_MAX) throw malformed('its elements are nested too deeply')
    const local = name.slice(name.indexOf(':') + 1)
    open.push((open.at(-1) as Element).add(local, counts[local] ?? 64))
  })
  const addText = (text: string): void => {
    const inner = open.at(-1)
    if (inner !== undefined) inner.value += text
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.on('closetag', () => void open.pop())
  parser.write(textOf(body)).close()
  const [found] = document.all(root)
  if (found === undefined) throw malformed(`it is no ${root}`)
  return found
}

function textOf(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw malformed('it is not UTF-8')
  }
}

function unquoted(etag: string): string {
  return etag.trim().replace(/^"(.*)"$/, '$1')
}

function malformed(why: string): S3Error {
  return new S3Error('MalformedXML', `The XML that you provided was not well formed or did not validate: ${why}`)
}
