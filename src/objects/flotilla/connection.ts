import { isError } from '../../core/errors.ts'
import { PEER_HEADER, PEER_PATH } from '../../core/files/peer-wire.ts'
import type { HttpRange } from '../../core/files/source.ts'
import { type Authorize, authorizer, type FileCredentials, originOf, unauthenticated } from '../../lib/file-access.ts'
import { HttpPool, type PoolAnswer, type PoolRequest, readAnswer } from '../../lib/http-pool.ts'
import { PourPool } from '../../lib/http-pour.ts'
import type { PourHead } from '../../lib/pour-connection.ts'
import { jsonOf, peerAnswer } from '../../lib/peer-answers.ts'

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

/** Asks the file service of another node: with credentials, and with its errors turned back into what it threw. */
export class Connection {
  readonly origin: string
  readonly #pool: HttpPool
  readonly #pours: PourPool
  readonly #authorize: Authorize
  readonly #credentials: FileCredentials | undefined
  /** False once something in between, such as a proxy that compresses, is known to keep lengths to itself. */
  #tellsLengths = true

  constructor({ server, credentials, nowMs, connections = CONNECTIONS, silenceMs = SILENCE_MS }: ConnectionOptions) {
    this.origin = originOf(server).origin
    this.#pool = new HttpPool({ origin: this.origin, name: this.origin, connections, silenceMs })
    this.#pours = new PourPool({ origin: this.origin, name: this.origin, silenceMs })
    this.#credentials = credentials
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
    try {
      return await peerAnswer(answer, this.origin)
    } catch (error) {
      throw isError(error, 'UNAUTHENTICATED') ? unauthenticated(this.origin, error.message, this.#credentials) : error
    }
  }

  /** The same for what is asked with a text, and answered with many bytes: over plain HTTP that costs far less where the length is told. */
  async askWhole(path: string, body: string, limitBytes: number, signal: AbortSignal | undefined): Promise<Buffer> {
    const request = { method: 'POST', path, headers: { 'content-type': 'application/json' }, body, signal } as const
    let isTold = true
    if (this.#tellsLengths && this.origin.startsWith('http:')) {
      isTold = false
      const whole = { ...request, path: `${PEER_PATH}${path}` }
      const isGood = ({ status, header }: PourHead): boolean => {
        isTold = true
        return status === 200 && header(PEER_HEADER) !== undefined && Number(header('content-length')) <= limitBytes
      }
      const bytes = await this.#pours.whole({ ...whole, headers: this.#authorize(whole) }, isGood)
      if (bytes !== undefined) return bytes
    }
    const answer = await this.ask(request)
    // It was no error that came without one: the next answers will as well.
    if (!isTold) this.#tellsLengths = false
    return await readAnswer(answer, limitBytes)
  }

  async json(request: PoolRequest, limitBytes: number): Promise<unknown> {
    return await jsonOf(await this.ask(request), limitBytes, this.origin)
  }

  async close(): Promise<void> {
    this.#pours.close()
    await this.#pool.close()
  }
}
