import type { Conflict } from './conflict.ts'
import type { Problem } from './problem.ts'

interface ErrorKind {
  /** Status of the HTTP answer. */
  readonly http: number
  /** Exit code of the command. */
  readonly exit: ExitCode
  /** Whether the same call may succeed later without anybody changing anything. */
  readonly retry: boolean
  /** What it means and what to do: the text of its entry in docs/reference/errors.md. */
  readonly meaning: string
}

/** 0 done or in step, 1 failed, 2 usage, 3 drift or pending, 4 refused by a gate, 5 lost a race, 6 not allowed, 7 unreachable. */
export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7

const kind = (http: number, exit: ExitCode, retry: boolean, meaning: string): ErrorKind => ({
  http,
  exit,
  retry,
  meaning,
})

/** Every way an operation can fail. A code is never reused for something else. */
export const ERRORS = {
  USAGE: kind(400, 2, false, 'The command or its options are not valid. `--help` shows the form.'),
  CONFIG_INVALID: kind(400, 2, false, 'The configuration is not valid; the message names the setting and its place.'),
  BAD_REQUEST: kind(400, 2, false, 'The request is not of the form the API takes.'),
  UNAUTHENTICATED: kind(401, 6, false, 'No token was sent, or it is wrong, expired or revoked.'),
  FORBIDDEN: kind(403, 6, false, 'The token is valid, but its scopes do not cover this.'),
  INSECURE_FILE: kind(403, 6, false, 'A file that holds a secret can be read by others. Run `chmod 600` on it.'),
  NOT_FOUND: kind(404, 1, false, 'There is nothing under that name.'),
  LOST_RACE: kind(409, 5, true, 'Somebody else changed it first. Look at the current state, then decide again.'),
  STALE_FENCE: kind(
    412,
    5,
    false,
    'The leadership or lock that this write was made under has gone to another, or has ended. Nothing was changed.',
  ),
  KEY_REUSED: kind(422, 2, false, 'The same Idempotency-Key was sent with another request. Use a new key for it.'),
  INVALID_VALUE: kind(
    422,
    4,
    false,
    'A value does not match the schema of its param, or cannot be kept as it is. Nothing was changed.',
  ),
  ROLLOUT_RUNNING: kind(
    409,
    5,
    true,
    'A rollout of the tree is under way. Wait for its end with `flotilla rollout --watch`, or stop it with `flotilla rollout abort`.',
  ),
  NAME_TAKEN: kind(409, 4, false, 'A node of that name has joined already. Choose another, or join with `--replace`.'),
  COMPACTED: kind(410, 1, true, 'The revision asked for is no longer held. List again and watch from there.'),
  LEASE_ENDED: kind(410, 1, true, 'The lease was not renewed in time, or was revoked.'),
  TOO_LARGE: kind(413, 1, false, 'Something is over its limit; the message says which.'),
  CHECK_FAILED: kind(422, 4, false, 'A check found errors. Nothing was changed; the last good release stays.'),
  GUARD: kind(422, 4, false, 'The change is larger than the guard allows without a confirmation.'),
  BLOBS_MISSING: kind(422, 1, true, 'The release names contents that the hub does not hold. Upload them first.'),
  SOURCE_VANISHED: kind(422, 4, true, 'The source folder is gone, empty or changing. Nothing was changed.'),
  RATE_LIMITED: kind(429, 1, true, 'Too many attempts. Wait, then try again.'),
  INTERNAL: kind(500, 1, false, 'A fault of Flotilla. The log has the details; please report it.'),
  UNREACHABLE: kind(503, 7, true, 'The other side does not answer.'),
  NOT_READY: kind(503, 7, true, 'The service is starting or stopping.'),
  DISK_FULL: kind(507, 1, true, 'There is no room on the disk. Nothing was changed.'),
  STORE_IN_USE: kind(503, 1, true, 'Another process holds the file of the store. One process serves one file.'),
  PORT_TAKEN: kind(500, 1, false, 'Another program listens on that address.'),
  PREPARE_FAILED: kind(
    422,
    4,
    false,
    'A node could not build its configuration from the release. It keeps the last good one.',
  ),
  PROXY_REFUSED: kind(
    422,
    4,
    false,
    'nginx or HAProxy refused its new configuration; the message is its own. The last good one stays in force.',
  ),
  CHANGED: kind(412, 1, true, 'A file is no longer what it was when it was listed. It is looked at anew by itself.'),
  BAD_LISTING: kind(
    502,
    1,
    true,
    'A listing contradicts itself: it repeats a page, is cut short, or names what no file can be called. Nothing was taken from it.',
  ),
  DELETE_GUARD: kind(
    422,
    4,
    false,
    'More files would be deleted than the guard allows. Nothing was deleted; confirm with `--delete-max` if it is meant.',
  ),
  FILES_INCOMPLETE: kind(
    500,
    1,
    true,
    'Some files could not be brought over; each is named in the output. The others are there. Run it again.',
  ),
  LOOP: kind(508, 2, false, 'A tree of file servers would lead back to itself. Remove one of the children on the way.'),
  FED_BY_ANOTHER: kind(
    409,
    4,
    false,
    'Another root feeds this tree. Write there, or take the tree from it: stop it, then wait a minute.',
  ),
  OUTDATED: kind(
    409,
    4,
    false,
    'Another node took the tree over from this root, and has newer files. Write there, and start this one as its child.',
  ),
  NOT_ACKNOWLEDGED: kind(
    503,
    3,
    true,
    'A file is kept here and on its way to the children, but has not come as far as was asked for in time. Nothing needs to be sent again.',
  ),
  TEMPLATE_FAILED: kind(
    422,
    4,
    false,
    'A template cannot be rendered, or what it makes did not pass its check; the message names the place. The last good file stays.',
  ),
  CORRUPT: kind(500, 1, true, 'Bytes do not match their checksum. They were not used.'),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  /** What to do next, in one sentence. */
  readonly hint?: string | undefined
  /** Node, file and place, where one is known. */
  readonly node?: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly problems?: readonly Problem[]
  /** Of `LOST_RACE`: what is there now, where it is known. */
  readonly conflict?: Conflict | undefined
  /** The other side asks not to be asked again before that: `Retry-After`. */
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** The one error type of the product: a stable code, what happened and where, and what to do. */
export class FlotillaError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'FlotillaError'
    this.code = code
    this.details = details
  }
}

/** True for a `FlotillaError` with one of the codes; without codes, for any `FlotillaError`. */
export function isError(error: unknown, ...codes: readonly ErrorCode[]): error is FlotillaError {
  return error instanceof FlotillaError && (codes.length === 0 || codes.includes(error.code))
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
