import { inflateRawSync } from 'node:zlib'
import { Refusal } from './http.ts'

const END_SIGNATURE = 0x06054b50
const END_BYTES = 22
const ENTRY_BYTES = 46
const LOCAL_BYTES = 30
const STORED = 0
const MAX_ENTRY_BYTES = 64 * 1024 * 1024

export interface ZipEntry {
  readonly name: string
  readonly content: Buffer
}

/** The files of a zip. @throws Refusal 400 when it is none, or when a name in it leaves its folder. */
export function unzip(zip: Buffer): readonly ZipEntry[] {
  const end = zip.lastIndexOf(Buffer.from('504b0506', 'hex'))
  if (end < 0 || end + END_BYTES > zip.length || zip.readUInt32LE(end) !== END_SIGNATURE) {
    throw new Refusal(400, 'error in opening zip file')
  }
  const entries: ZipEntry[] = []
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(at + 28)
    const name = zip.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength)
    if (name.split(/[/\\]/).includes('..') || /^[/\\]/.test(name)) {
      throw new Refusal(400, `Entry is outside of the target directory: ${name}`)
    }
    if (!name.endsWith('/')) entries.push({ name, content: contentAt(zip, at) })
    at += ENTRY_BYTES + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return entries
}

function contentAt(zip: Buffer, entry: number): Buffer {
  const local = zip.readUInt32LE(entry + 42)
  const start = local + LOCAL_BYTES + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const packed = zip.subarray(start, start + zip.readUInt32LE(entry + 20))
  if (zip.readUInt16LE(entry + 10) === STORED) return packed
  return inflateRawSync(packed, { maxOutputLength: MAX_ENTRY_BYTES })
}
