import { createHash } from 'node:crypto'
import { createReadStream, realpathSync } from 'node:fs'
import { isError, messageOf } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource } from '../core/files/source.ts'
import type { Op } from '../core/op.ts'
import { openFileInside } from '../lib/inside.ts'
import { keyPath } from '../lib/safe-path.ts'

/** Something that is not as it should be. */
export interface Damage {
  readonly key: string
  /** `unhashed`: nothing is known that it could be compared with. */
  readonly fault: 'damaged' | 'missing' | 'unreadable' | 'unhashed'
  readonly message: string
}

export interface Verified {
  readonly files: number
  readonly bytes: number
  readonly damaged: number
  readonly unhashed: number
}

interface VerifyOptions extends Op {
  /** Says what should be there. */
  readonly source: FileSource
  readonly prefix: string
  /** The copy that is read; without one, what the source itself gives is. */
  readonly folder?: string | undefined
  readonly onDamage: (damage: Damage) => void
  readonly onProgress: (sofar: Verified) => void
}

const AT_ONCE = 4

/** Reads every file again from its first to its last byte, and compares it with the hash that is known of it. */
export async function verifyFiles(options: VerifyOptions): Promise<Verified> {
  const { source, prefix, folder, onDamage, onProgress, signal } = options
  const root = folder === undefined ? undefined : realpathSync(folder)
  let sofar: Verified = { files: 0, bytes: 0, damaged: 0, unhashed: 0 }
  const check = async (entry: FileEntry): Promise<void> => {
    const fault = await faultOf(entry, { source, root, signal })
    const { files, bytes, damaged, unhashed } = sofar
    sofar = {
      files: files + 1,
      bytes: bytes + entry.size,
      damaged: damaged + (fault === undefined || fault.fault === 'unhashed' ? 0 : 1),
      unhashed: unhashed + (fault?.fault === 'unhashed' ? 1 : 0),
    }
    if (fault !== undefined) onDamage({ key: entry.key, ...fault })
    onProgress(sofar)
  }
  for await (const page of source.list({ prefixes: [prefix], signal })) {
    const left = page.values()
    const worker = async (): Promise<void> => {
      for (const entry of left) await check(entry)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  }
  return sofar
}

type Fault = Omit<Damage, 'key'>

interface Where extends Op {
  readonly source: FileSource
  readonly root: string | undefined
}

async function faultOf(entry: FileEntry, where: Where): Promise<Fault | undefined> {
  try {
    return await compare(entry, where)
  } catch (error) {
    where.signal?.throwIfAborted()
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || isError(error, 'NOT_FOUND')) return { fault: 'missing', message: 'it is not there' }
    // It was written to meanwhile: what was listed is not what is there now, and that is no damage.
    if (isError(error, 'CHANGED')) return undefined
    if (isError(error, 'UNREACHABLE', 'UNAUTHENTICATED', 'FORBIDDEN')) throw error
    return { fault: 'unreadable', message: messageOf(error) }
  }
}

async function compare(entry: FileEntry, { source, root, signal }: Where): Promise<Fault | undefined> {
  const { kind, expected } = hashOf(entry) ?? { kind: 'sha256' as const, expected: undefined }
  if (expected === undefined && root === undefined) return { fault: 'unhashed', message: 'no hash is known of it' }
  const bytes = root === undefined ? await source.open(entry, { signal }) : await here(root, entry.key)
  const found = await digest(bytes, kind)
  const wanted = expected ?? (await digest(await source.open(entry, { signal }), kind)).hash
  if (found.size !== entry.size) {
    return { fault: 'damaged', message: `it has ${found.size} bytes instead of ${entry.size}` }
  }
  return found.hash === wanted ? undefined : { fault: 'damaged', message: `${kind} ${found.hash} instead of ${wanted}` }
}

function hashOf({ sha256, md5, etag }: FileEntry): { kind: 'sha256' | 'md5'; expected: string } | undefined {
  if (sha256 !== undefined) return { kind: 'sha256', expected: sha256 }
  const known = md5 ?? (/^[0-9a-f]{32}$/.test(etag) ? etag : undefined)
  return known === undefined ? undefined : { kind: 'md5', expected: known }
}

async function here(root: string, key: string): Promise<AsyncIterable<Uint8Array>> {
  const descriptor = await openFileInside(root, keyPath(key))
  return createReadStream('', { fd: descriptor, autoClose: true, highWaterMark: 1024 * 1024 })
}

async function digest(bytes: AsyncIterable<Uint8Array>, kind: string): Promise<{ hash: string; size: number }> {
  const hash = createHash(kind)
  let size = 0
  for await (const chunk of bytes) {
    hash.update(chunk)
    size += chunk.byteLength
  }
  return { hash: hash.digest('hex'), size }
}
