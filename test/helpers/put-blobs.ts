import { isError } from '../../src/core/errors.ts'
import { sha256 } from '../../src/lib/hash.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'

/**
 * A program of its own, to be watched and disturbed by strace: puts so many blobs into a folder, one after the other or
 * deferred with one sync at the end, and says of each `held HASH`, or `failed HASH CODE`.
 */
const [folder = '', count = '', mode = ''] = process.argv.slice(2)

const blobs = await openFolderBlobs(folder, { clock: systemClock })
const deferred = mode === 'deferred'
const hashes: string[] = []
for (let index = 0; index < Number(count); index++) {
  const content = Buffer.from(`blob ${index}`)
  const hash = sha256(content)
  hashes.push(hash)
  try {
    await blobs.put(hash, content, { limitBytes: 100, deferred })
    if (!deferred) process.stdout.write(`held ${hash}\n`)
  } catch (error) {
    process.stdout.write(`failed ${hash} ${isError(error) ? error.code : String(error)}\n`)
  }
}
if (deferred) {
  await blobs.sync()
  for (const hash of hashes) process.stdout.write(`held ${hash}\n`)
}
