import { constants } from 'node:fs'
import { FlotillaError } from '../../core/errors.ts'
import { remoteCalls } from '../../lib/file-calls.ts'
import { type StoredPart, WHOLE } from './upload-store.ts'

const PIECE_BYTES = 1024 * 1024

/** The bytes of these parts, one after the other; `path` is the folder of their upload. */
export async function* joinedParts(path: string, parts: readonly StoredPart[]): AsyncGenerator<Uint8Array, void> {
  for (const { at, size, number } of parts) {
    const [name, start] = typeof at === 'number' ? [WHOLE, at] : [at, 0]
    const file = await remoteCalls.open(`${path}/${name}`, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      for (let done = 0; done < size;) {
        const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, size - done))
        const read = await remoteCalls.read(file, piece, start + done)
        if (read === 0) throw new FlotillaError('CORRUPT', `part ${number} of an upload has been cut on the disk`)
        yield piece.subarray(0, read)
        done += read
      }
    } finally {
      await remoteCalls.close(file)
    }
  }
}
