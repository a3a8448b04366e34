import { FlotillaError } from '../errors.ts'
import { isName } from '../keys.ts'
import type { ClaimKind } from './claims.ts'

/**
 * A fencing token, `elect/NAME/WHO@REVISION`: the key of a claim and the revision that put it. It is good as long as that
 * claim holds, and of two holders of one seat the later has the greater revision.
 */
export interface Fence {
  readonly kind: ClaimKind
  readonly name: string
  /** Of the claim, in the store. */
  readonly key: string
  readonly revision: number
}

const FENCE = /^((elect|lock)\/([^/@]{1,64})\/[A-Za-z0-9.!~*'()%_-]{1,400})@([1-9]\d{0,15})$/

export function formatFence(key: string, revision: number): string {
  return `${key}@${revision}`
}

/** Throws `BAD_REQUEST`. */
export function parseFence(text: string): Fence {
  const [, key, kind, name, digits] = FENCE.exec(text) ?? []
  const revision = Number(digits)
  if (key === undefined || name === undefined || !isName(name) || !isEncoded(key) || !Number.isSafeInteger(revision)) {
    throw new FlotillaError('BAD_REQUEST', 'the Fence is not one', {
      hint: 'It has the form elect/NAME/WHO@REVISION, as FLOTILLA_FENCE holds it below `flotilla elect` and `flotilla lock`.',
    })
  }
  return { kind: kind === 'lock' ? 'lock' : 'elect', name, key, revision }
}

function isEncoded(text: string): boolean {
  try {
    return decodeURIComponent(text) !== ''
  } catch {
    return false
  }
}

/** `elect/NAME`: what a later fence makes earlier ones stale in. */
export function fencedName({ kind, name }: Fence): string {
  return `${kind}/${name}`
}

/** `gone` is the claim that does not hold, where it is another one that this one was put under. */
export function staleFence({ key, revision }: Fence, gone = key): FlotillaError {
  const why = gone === key ? 'that claim does not hold' : `${gone}, under which it was taken, does not hold`
  return new FlotillaError('STALE_FENCE', `the fence ${formatFence(key, revision)} is stale: ${why}`, {
    hint: 'Stop what it protected, and contend again.',
  })
}
