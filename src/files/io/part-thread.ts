import { createHash } from 'node:crypto'
import { readSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../core/errors.ts'
import type { PartDigests, PartJob, PartTold } from './part-digests.ts'
import { keepCompiled } from '../../lib/keep-compiled.ts'

/** Entry of the thread that reads and hashes whole files: takes a `PartJob`, answers with a `PartTold`. */

const PIECE_BYTES = 512 * 1024
const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES)

/** Descriptors are those of the process. */
function digestsOf({ file, bytes, md5, sha256 }: PartJob): PartDigests {
  const hashes = { md5: md5 ? createHash('md5') : undefined, sha256: sha256 ? createHash('sha256') : undefined }
  for (let position = 0; position < bytes;) {
    const read = readSync(file, buffer, 0, Math.min(PIECE_BYTES, bytes - position), position)
    if (read === 0) throw new Error('it was cut while it was read')
    const piece = buffer.subarray(0, read)
    hashes.md5?.update(piece)
    hashes.sha256?.update(piece)
    position += read
  }
  return { md5: hashes.md5?.digest('hex'), sha256: hashes.sha256?.digest('hex') }
}

function answerOf(job: PartJob): PartTold {
  try {
    return { id: job.id, digests: digestsOf(job) }
  } catch (error) {
    return { id: job.id, failed: messageOf(error) }
  }
}

parentPort?.on('message', (job: PartJob) => parentPort?.postMessage(answerOf(job), []))

keepCompiled()
