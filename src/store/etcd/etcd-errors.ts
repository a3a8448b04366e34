import { status } from '@grpc/grpc-js'
import { FlotillaError } from '../../core/errors.ts'

export const STATUS = status

/** What etcd says of a failure, as an error of ours. facts: etcd's own api/v3rpc/rpctypes/error.go. */

export const AMBIGUOUS = 'It is not known whether the commit was made: read the keys again, then decide.'
const FLAGS =
  'Start etcd with --max-request-bytes 8388608 and --max-txn-ops 1024: what the store takes is larger than what etcd takes unless told.'

/** A call that failed: with what etcd said, or with `UNAVAILABLE` because it said nothing. */
export class EtcdFailure extends Error {
  readonly status: status
  /** The other side cannot have carried it out. */
  readonly hadNoEffect: boolean

  constructor(
    code: status,
    message: string,
    options: { readonly hadNoEffect?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.status = code
    this.hadNoEffect = options.hadNoEffect ?? false
  }
}

/** The member that was asked cannot do its work now; another may. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof EtcdFailure)) return false
  return error.status === STATUS.UNAVAILABLE || error.status === STATUS.DEADLINE_EXCEEDED
}

/** Nothing was changed by what failed so, however it was asked. */
export function hadNoEffect(error: unknown): boolean {
  return isWithoutLeader(error) || (error instanceof EtcdFailure && error.hadNoEffect)
}

export function isWithoutLeader(error: unknown): boolean {
  return error instanceof EtcdFailure && error.message === 'etcdserver: no leader'
}

/** A new proof of who we are is needed: the old one was forgotten, or rights were changed since. */
export function wantsNewToken(error: unknown): boolean {
  if (!(error instanceof EtcdFailure)) return false
  return error.status === STATUS.UNAUTHENTICATED || /invalid auth token|auth store is old/.test(error.message)
}

export function isLeaseThere(error: unknown): boolean {
  return error instanceof EtcdFailure && error.message === 'etcdserver: lease already exists'
}

/** `ifLost` is the hint where it is not known whether the call took effect. Passes on what is none of etcd's. */
export function storeError(error: unknown, ifLost?: string): unknown {
  if (!(error instanceof EtcdFailure)) return error
  const { message } = error
  const cause = error
  if (/request is too large|too many operations|larger than max/.test(message)) {
    return new FlotillaError('TOO_LARGE', `etcd takes no transaction of that size: ${message}`, { hint: FLAGS, cause })
  }
  if (message.includes('database space exceeded')) {
    return new FlotillaError('DISK_FULL', 'etcd has reached its --quota-backend-bytes', {
      hint: 'Compact, then `etcdctl defrag` and `etcdctl alarm disarm`; or give it a larger quota.',
      cause,
    })
  }
  if (message.includes('too many requests')) {
    return new FlotillaError('RATE_LIMITED', 'etcd is too busy', { hint: 'Try again in a moment.', cause })
  }
  if (message.includes('required revision has been compacted'))
    return new FlotillaError('COMPACTED', message, { hint: 'List again.', cause })
  if (message === 'etcdserver: requested lease not found') {
    return new FlotillaError('LEASE_ENDED', 'the lease has ended; nothing was changed', { cause })
  }
  if (error.status === STATUS.PERMISSION_DENIED) {
    return new FlotillaError('FORBIDDEN', 'the user has no right to the keys in etcd', {
      hint: 'Grant it readwrite on the whole prefix, such as: etcdctl role grant-permission ROLE readwrite --prefix flotilla/',
      cause,
    })
  }
  if (/user name is empty|authentication failed|invalid auth token/.test(message)) {
    return new FlotillaError('UNAUTHENTICATED', `etcd does not take who asks: ${message}`, {
      hint: 'Set `etcd.user` and `etcd.passwordFile` of the hub.',
      cause,
    })
  }
  if (isAway(error)) {
    const hint =
      (hadNoEffect(error) ? undefined : ifLost) ?? 'Check that etcd runs and has a leader: etcdctl endpoint status'
    return new FlotillaError('UNREACHABLE', message, { hint, cause })
  }
  return new FlotillaError('INTERNAL', `etcd: ${message}`, { cause })
}
