import type { ErrorBody } from '../core/api.ts'
import { type ErrorCode, ERRORS, FlotillaError } from '../core/errors.ts'
import { PEER_HEADER } from '../core/files/peer-wire.ts'
import { failureOf } from './file-answers.ts'
import { type PoolAnswer, readAnswer } from './http-pool.ts'

const ERROR_BYTES = 64 * 1024

/** An answer to a path below `PEER_PATH` if it is a successful one; rejects with what the other side says else. */
export async function peerAnswer(answer: PoolAnswer, origin: string): Promise<PoolAnswer> {
  if (answer.header(PEER_HEADER) === undefined) {
    if (answer.status === 401 || answer.status === 403) throw await failureOf(answer, 'another node', origin)
    await answer.discard()
    throw new FlotillaError('UNREACHABLE', `${origin} answers ${answer.status}, not like a Flotilla file service`, {
      hint: 'Check the address; a proxy in between may answer in its place.',
    })
  }
  if (answer.status >= 200 && answer.status < 300) return answer
  throw errorOf((await readAnswer(answer, ERROR_BYTES)).toString('utf8'), answer.status, origin)
}

export async function jsonOf(answer: PoolAnswer, limitBytes: number, origin: string): Promise<unknown> {
  const body = await readAnswer(answer, limitBytes)
  try {
    return JSON.parse(body.toString('utf8')) as unknown
  } catch {
    throw new FlotillaError('UNREACHABLE', `${origin} answers with something else than JSON`)
  }
}

const OF_STATUS: Readonly<Record<number, ErrorCode>> = { 401: 'UNAUTHENTICATED', 403: 'FORBIDDEN', 429: 'RATE_LIMITED' }

function errorOf(text: string, status: number, origin: string): FlotillaError {
  try {
    const { code, message, hint } = (JSON.parse(text) as ErrorBody).error
    if (Object.hasOwn(ERRORS, code)) return new FlotillaError(code, `${origin}: ${message}`, { hint })
  } catch {
    // Of another form; the status says enough.
  }
  return new FlotillaError(OF_STATUS[status] ?? 'UNREACHABLE', `${origin} answers ${status}`)
}
