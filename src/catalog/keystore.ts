import { readdirSync, readFileSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { createHmac } from 'node:crypto'
import { folderOf } from '../core/files/entry.ts'
import { FlotillaError } from '../core/errors.ts'
import { writeAtomic } from '../lib/atomic-file.ts'
import { withFolderInside } from '../lib/inside.ts'
import { safePath } from '../lib/safe-path.ts'
import { classify } from '../targets/geoserver/definition/classify.ts'

/** A file that makes the passwords of a data directory readable. */
export interface SecretFile {
  readonly path: string
  readonly bytes: Uint8Array
}

const KEYSTORE = 'security/geoserver.jceks'
const FOLDER = 'security'
const FILES_MAX = 100
const BYTES_MAX = 256 * 1024

/**
 * Keystore and master password of a data directory, by path. GeoServer makes them at its first start, each its own, and reads them only
 * at a start. Rejects with `NOT_FOUND` where there is no keystore.
 */
export async function readKeystore(dataDirectory: string): Promise<readonly SecretFile[]> {
  const files = await secretFiles(dataDirectory)
  if (files.some(({ path }) => path === KEYSTORE)) return files
  throw new FlotillaError('NOT_FOUND', `${join(dataDirectory, KEYSTORE)} is not there`, {
    hint: 'GeoServer makes it at its first start, if nobody has put it there before.',
  })
}

async function secretFiles(dataDirectory: string): Promise<readonly SecretFile[]> {
  const root = await realpath(dataDirectory).catch((cause: unknown) => {
    throw new FlotillaError('NOT_FOUND', `there is no data directory ${dataDirectory}`, { cause })
  })
  const entries = readdirSyncOrNone(join(root, FOLDER))
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .filter((path) => classify(path).leftOut === 'secret')
  const files = paths.toSorted().map((path): SecretFile => ({ path, bytes: readFileSync(join(root, path)) }))
  const bytes = files.reduce((sum, file) => sum + file.bytes.byteLength, 0)
  if (files.length > FILES_MAX || bytes > BYTES_MAX) {
    throw new FlotillaError('TOO_LARGE', `keystore and master password are ${files.length} files of ${bytes} bytes`)
  }
  return files
}

function readdirSyncOrNone(folder: string) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/**
 * By which two nodes see whether they have the same keystore, and which says nothing else of it; undefined where there is none.
 * It holds random keys, so nothing can be guessed from 64 bits of a hash.
 */
export async function keystoreMark(dataDirectory: string, tree: string): Promise<string | undefined> {
  try {
    const keystore = (await secretFiles(dataDirectory)).find(({ path }) => path === KEYSTORE)
    if (keystore === undefined) return undefined
    return createHmac('sha256', `keystore of ${tree}`).update(keystore.bytes).digest('hex').slice(0, 16)
  } catch {
    // What cannot be read is told by whoever looks at the directory.
    return undefined
  }
}

/**
 * Places them, readable by nobody else. Rejects with `GUARD` where another keystore is there and `replace` is not set: what was
 * encrypted with that one could never be read again. Answers whether something was there.
 */
export async function placeKeystore(
  dataDirectory: string,
  files: readonly SecretFile[],
  { replace }: { readonly replace: boolean },
): Promise<'placed' | 'same' | 'replaced'> {
  const here = new Map((await secretFiles(dataDirectory)).map(({ path, bytes }) => [path, bytes]))
  const isSame = files.every(({ path, bytes }) => isEqual(here.get(path), bytes))
  if (isSame && here.size > 0) return 'same'
  const other = here.get(KEYSTORE)
  if (!replace && other !== undefined && !files.some(({ path, bytes }) => path === KEYSTORE && isEqual(other, bytes))) {
    throw new FlotillaError('GUARD', `${dataDirectory} has another keystore already; nothing was changed`, {
      hint: 'Passwords that were encrypted with it could not be read any more. If that is meant: --replace-keystore',
    })
  }
  const root = await realpath(dataDirectory)
  for (const { path, bytes } of files) {
    const safe = safePath(path)
    if (classify(safe).leftOut !== 'secret') throw new FlotillaError('CORRUPT', `${path} is no part of a keystore`)
    await withFolderInside(root, folderOf(safe), { make: true }, async (folder) => {
      await writeAtomic(join(folder.path, safe.slice(safe.lastIndexOf('/') + 1)), bytes, { mode: 0o600 })
    })
  }
  return other === undefined ? 'placed' : 'replaced'
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}
