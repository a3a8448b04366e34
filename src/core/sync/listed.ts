import { FlotillaError } from '../errors.ts'
import type { FileEntry } from '../files/entry.ts'
import { impossible } from '../files/impossible.ts'

/** Throws `BAD_LISTING` where no file can be as that. */
export function checkSound(entry: FileEntry): void {
  const why = impossible(entry)
  if (why !== undefined) throw badListing(`of ${JSON.stringify(entry.key).slice(0, 200)} ${why}`)
}

export function badListing(why: string): FlotillaError {
  return new FlotillaError('BAD_LISTING', `the listing contradicts itself: ${why}`)
}
