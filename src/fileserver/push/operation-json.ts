import type { FileEntry } from '../../core/files/entry.ts'
import { impossible, impossibleKey } from '../../core/files/impossible.ts'
import { isVersion, type Operation, type Version } from '../../core/push/operation.ts'
import { isKeptName, isKeptValue } from '../object-headers.ts'
import { bad } from './frame-reader.ts'

/** More than any file has: those of its client, its checksums and its parts. */
const HEADERS_BYTES_MAX = 16 * 1024

export interface WrittenOperation {
  readonly operation: Operation
  /** No content follows, although it is no deletion. */
  readonly isOffer: boolean
}

/** What stands in a frame, looked at before anything is done with it; what is not known is left out. Throws `BAD_REQUEST`. */
export function readOperation(bytes: Buffer): WrittenOperation {
  const fields = fieldsOf(bytes)
  const key = fields['key'] as string
  const version = versionOf(fields['version'])
  if (fields['gone'] === true) {
    const why = impossibleKey(key)
    if (why !== undefined) throw bad(why)
    return { operation: { key, version, gone: true }, isOffer: false }
  }
  const { size, modifiedMs, etag, sha256, md5, headers } = fields as unknown as FileEntry & { headers?: unknown }
  const entry = { key, size, modifiedMs, etag, sha256, md5 }
  const why = impossible(entry)
  if (why !== undefined) throw bad(why)
  const operation = { ...entry, version, headers: headers === undefined ? undefined : headersOf(headers) }
  return { operation, isOffer: fields['offer'] === true }
}

function fieldsOf(bytes: Buffer): Readonly<Record<string, unknown>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw bad('an operation is no JSON')
  }
  if (typeof parsed !== 'object' || parsed === null) throw bad('an operation is no object')
  return parsed as Readonly<Record<string, unknown>>
}

function versionOf(value: unknown): Version {
  if (!isVersion(value)) throw bad('an operation has no version')
  const { epoch, sequence } = value
  return { epoch, sequence }
}

/**
 * They are given out with the file: none but those that a file may have, and nothing in them that ends a header. Others are left out: a parent may
 * be newer than this.
 */
function headersOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('headers are no object')
  const headers: Record<string, string> = {}
  let bytes = 0
  for (const [name, text] of Object.entries(value as Readonly<Record<string, unknown>>)) {
    if (!isKeptName(name)) continue
    if (typeof text !== 'string' || !isKeptValue(name, text)) throw bad(`the header ${name} is none of a file`)
    bytes += name.length + text.length
    headers[name] = text
  }
  if (bytes > HEADERS_BYTES_MAX) throw bad('the headers of a file are too long')
  return headers
}
