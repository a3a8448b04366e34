import { ReleasedFiles, type ReleaseHub } from '../catalog/released.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { RELEASE_LIMITS } from '../core/release.ts'
import type { FileTree, TreeFile } from '../core/tree.ts'
import { sha256 } from '../lib/hash.ts'
import { readBody } from '../lib/http.ts'
import { VERSIONS_FILE } from '../targets/geoserver/definition/classify.ts'

/** A release as the hub holds it; its files are fetched one by one, when they are read. Release 0 is empty. Rejects as the hub does. */
export async function releasedTree(client: ReleaseHub, tree: string, number: number, op: Op): Promise<FileTree> {
  const files = await new ReleasedFiles(tree, client).of(number, op)
  const hashes = new Map(files.map((file) => [file.path, file.sha256]))
  return {
    files,
    read: async (path, how = op) => {
      const hash = hashes.get(path)
      if (hash === undefined) throw new FlotillaError('NOT_FOUND', `r${number} has no file ${JSON.stringify(path)}`)
      const bytes = await blobOf(client, hash, RELEASE_LIMITS.fileBytes, how)
      if (sha256(bytes) === hash) return bytes
      throw new FlotillaError('CORRUPT', `the hub sent other bytes for ${path} of r${number}`)
    },
  }
}

async function blobOf(client: ReleaseHub, hash: string, limitBytes: number, op: Op): Promise<Uint8Array> {
  return await readBody(await client.openBlob(hash, op), limitBytes)
}

/** The file that says which GeoServer a release comes from, where it has one. */
export function versionsFileOf({ files }: FileTree): readonly TreeFile[] {
  return files.filter(({ path }) => path === VERSIONS_FILE)
}
