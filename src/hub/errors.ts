import type { ErrorBody } from '../core/api.ts'
import { ERRORS, FlotillaError, messageOf } from '../core/errors.ts'

/** What a client is told, and whether it is our fault. */
export interface Told {
  readonly status: number
  readonly body: ErrorBody
  /** The error is unexpected: the client gets no more than a number that finds it in the log. */
  readonly isFault: boolean
}

/** Any error as the one form of answer. Text of unexpected errors stays here: it may name paths, or worse. */
export function tell(error: unknown, requestId: string): Told {
  const known = error instanceof FlotillaError ? error : fromFastify(error)
  if (known === undefined) {
    const message = 'a fault of Flotilla; the log of the hub has the details'
    const hint = `Look for ${requestId} in the log, and please report it.`
    return {
      status: ERRORS.INTERNAL.http,
      body: { error: { code: 'INTERNAL', message, hint, requestId } },
      isFault: true,
    }
  }
  const { hint, problems, conflict } = known.details
  const body = { error: { code: known.code, message: known.message, hint, problems, conflict, requestId } }
  return { status: ERRORS[known.code].http, body, isFault: known.code === 'INTERNAL' }
}

/** Fastify's own refusals: their status says what they are. */
function fromFastify(error: unknown): FlotillaError | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined
  const validation = 'validation' in error ? error.validation : undefined
  if (Array.isArray(validation)) return new FlotillaError('BAD_REQUEST', describe(error, validation))
  switch (error.statusCode) {
    case 413:
      return new FlotillaError('TOO_LARGE', 'the body is larger than this route takes')
    case 415:
      return new FlotillaError('BAD_REQUEST', 'the body is of a type that this route does not take', {
        hint: 'Send JSON as application/json, contents of files as application/octet-stream.',
      })
    case 503:
      return new FlotillaError('NOT_READY', 'the hub is stopping')
    default:
      return error.statusCode === 400 ? new FlotillaError('BAD_REQUEST', messageOf(error)) : undefined
  }
}

/** `body/files/3/sha256: …; …`, at most three findings. Names what was wrong, never the value that was sent. */
function describe(error: Error, validation: readonly { instancePath?: string; message?: string }[]): string {
  const context = 'validationContext' in error ? String(error.validationContext) : 'request'
  const findings = validation.slice(0, 3).map(({ instancePath = '', message = '' }) => {
    return `${context}${instancePath}: ${message.slice(0, 200)}`
  })
  return findings.join('; ')
}
