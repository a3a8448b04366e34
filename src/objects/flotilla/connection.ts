import type { ErrorBody } from '../../core/api.ts'
import { type ErrorCode, ERRORS, FlotillaError } from '../../core/errors.ts'
import { PEER_HEADER, PEER_PATH } from '../../core/files/peer-wire.ts'
import type { HttpRange } from '../../core/files/source.ts'
import { type Authorize, authorizer, type FileCredentials, originOf } from '../../lib/file-access.ts'
import { failureOf } from '../../lib/file-answers.ts'
import { HttpPool, type PoolAnswer, type PoolRequest, readAnswer } from '../../lib/http-pool.ts'

export interface ConnectionOptions {
  /** `http://host:port` of the file service of a node. */
  readonly server: string
  readonly credentials?: FileCredentials | undefined
  /** For the dates of signatures. */
  readonly nowMs: () => number
  /** How many requests are under way at once; 32 unless told. */
  readonly connections?: number | undefined
  /** How long the other side may be silent before it counts as gone; 30 s unless told. */
  readonly silenceMs?: number | undefined
}

const CONNECTIONS = 32
const SILENCE_MS = 30_000
const ERROR_BYTES = 64 * 1024

/** Asks the file service of another node: with credentials, and with its errors turned back into what it threw. */
export class Connection {
  readonly origin: string
  readonly #pool: HttpPool
  readonly #authorize: Authorize

  constructor({ server, credentials, nowMs, connections = CONNECTIONS, silenceMs = SILENCE_MS }: ConnectionOptions) {
    this.origin = originOf(server).origin
    this.#pool = new HttpPool({ origin: this.origin, name: this.origin, connections, silenceMs })
    this.#authorize = authorizer(credentials, this.origin, nowMs)
  }

  /** Any answer. */
  async send(request: PoolRequest): Promise<PoolAnswer> {
    return await this.#pool.send({ ...request, headers: this.#authorize(request) })
  }

  /** The same request for who sends it in another way; undefined where that needs more than plain HTTP. */
  plain(path: string, headers: Readonly<Record<string, string>>): HttpRange | undefined {
    if (!this.origin.startsWith('http:')) return undefined
    return { origin: this.origin, path, headers: this.#authorize({ method: 'GET', path, headers }) }
  }

  /** A successful answer to a path below `PEER_PATH`; rejects with what the other side says else. */
  async ask(request: PoolRequest): Promise<PoolAnswer> {
    const answer = await this.send({ ...request, path: `${PEER_PATH}${request.path}` })
    if (answer.header(PEER_HEADER) === undefined) {
      if (answer.status === 401 || answer.status === 403) throw await failureOf(answer, 'another node', this.origin)
      await answer.discard()
      throw new FlotillaError(
        'UNREACHABLE',
        `${this.origin} answers ${answer.status}, not like a Flotilla file service`,
        {
          hint: 'Check the address; a proxy in between may answer in its place.',
        },
      )
    }
    if (answer.status >= 200 && answer.status < 300) return answer
    throw errorOf((await readAnswer(answer, ERROR_BYTES)).toString('utf8'), answer.status, this.origin)
  }

  async json(request: PoolRequest, limitBytes: number): Promise<unknown> {
    const body = await readAnswer(await this.ask(request), limitBytes)
    try {
      return JSON.parse(body.toString('utf8')) as unknown
    } catch {
      throw new FlotillaError('UNREACHABLE', `${this.origin} answers with something else than JSON`)
    }
  }

  async close(): Promise<void> {
    await this.#pool.close()
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
