import { FlotillaError } from '../errors.ts'

/** How many files may be deleted at once. */
export type DeleteMax = { readonly files: number } | { readonly percent: number }

const SHARE = 0.1
const FILES = 1000
/** A tenth of few files would allow none. */
const ALWAYS = 10

interface Deletion {
  /** Files that would be deleted. */
  readonly deleted: number
  /** Files that are here before, of those that may be deleted. */
  readonly present: number
  /** Files that the source has and that are wanted. */
  readonly wanted: number
  /** As the operator allows; by default a tenth, at most 1,000 files, and never all. */
  readonly max: DeleteMax | undefined
}

/** `50` files or `20%`. Throws `USAGE`. */
export function parseDeleteMax(text: string): DeleteMax {
  const [, number, percent] = /^(\d{1,12})(%?)$/.exec(text) ?? []
  const value = Number(number)
  if (number === undefined || (percent === '%' && value > 100)) {
    throw new FlotillaError('USAGE', `"${text}" is no number of files and no share`, {
      hint: 'Write 500 or 20%.',
    })
  }
  return percent === '%' ? { percent: value } : { files: value }
}

/** Throws `DELETE_GUARD` where so much would go that the source, or what was asked for, is more likely to be wrong. */
export function guardDeletion({ deleted, present, wanted, max }: Deletion): void {
  if (deleted === 0) return
  const limit = limitOf(present, max)
  const takesAll = max === undefined && wanted === 0
  if (deleted <= limit && !takesAll) return
  throw new FlotillaError(
    'DELETE_GUARD',
    takesAll
      ? `the source has nothing of what is asked for, and all ${deleted} files here would be deleted`
      : `${deleted} of ${present} files would be deleted, more than ${limit}`,
    { hint: `Look at the source first. If it is meant, allow it with --delete-max ${deleted}.` },
  )
}

function limitOf(present: number, max: DeleteMax | undefined): number {
  if (max === undefined) return Math.max(ALWAYS, Math.min(FILES, Math.floor(present * SHARE)))
  return 'files' in max ? max.files : Math.floor((present * max.percent) / 100)
}
