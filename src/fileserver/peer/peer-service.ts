import type { ServerResponse } from 'node:http'
import type { ErrorBody } from '../../core/api.ts'
import type { Clock } from '../../core/clock.ts'
import { ERRORS, FlotillaError, isError, messageOf } from '../../core/errors.ts'
import { PEER_HEADER, PEER_PATH, PEER_VERSION } from '../../core/files/peer-wire.ts'
import type { Logger } from '../../core/log.ts'
import { pushRoutes } from '../push/push-routes.ts'
import { upkeepRoutes } from '../push/upkeep-routes.ts'
import { discard } from '../refusal.ts'
import { answerBatch } from './batch.ts'
import { Changes } from './changes.ts'
import { answerList, answerWhy } from './look.ts'
import type { PeerCall, PeerTree, TreeCall } from './peer-call.ts'
import { answerBlocks, answerStat, answerTrees } from './small-answers.ts'

export interface PeerServiceOptions {
  readonly trees: () => readonly PeerTree[]
  readonly clock: Clock
  readonly log: Logger
}

type Answer = (call: TreeCall) => Promise<void>

/** What Flotilla nodes ask each other beyond S3: see `core/files/peer-wire.ts`; and what people ask, see `core/files/peer-look.ts`. */
export class PeerService {
  readonly #options: PeerServiceOptions
  readonly #changes: Changes
  readonly #routes: Readonly<Record<string, { readonly methods: readonly string[]; readonly answer: Answer }>>

  constructor(options: PeerServiceOptions) {
    this.#options = options
    this.#changes = new Changes(options.clock)
    this.#routes = {
      changes: { methods: ['GET', 'POST'], answer: async (call) => this.#changes.answer(call) },
      batch: { methods: ['POST'], answer: answerBatch },
      blocks: { methods: ['GET'], answer: answerBlocks },
      stat: { methods: ['GET'], answer: answerStat },
      list: { methods: ['GET'], answer: answerList },
      why: { methods: ['GET'], answer: answerWhy },
      ...pushRoutes(),
      ...upkeepRoutes(),
    }
  }

  /** Answers, with an error where there is one. Resolves when the answer is over; never rejects. */
  async handle(call: PeerCall): Promise<void> {
    const { request, response } = call
    const gone = new AbortController()
    const leave = (): void => gone.abort(new Error('whoever asked is gone'))
    response.once('close', leave)
    try {
      response.setHeader(PEER_HEADER, PEER_VERSION)
      response.setHeader('cache-control', 'no-store')
      await this.#answer(call, gone.signal)
    } catch (error) {
      if (!gone.signal.aborted) this.#fail(response, error)
    } finally {
      // Whoever sends more than was looked at comes to read the answer, and begins anew.
      if (!request.complete && !gone.signal.aborted) discard(request)
      response.removeListener('close', leave)
    }
  }

  /** Answers that wait for a change are ended. */
  close(): void {
    this.#changes.close()
  }

  async #answer(call: PeerCall, signal: AbortSignal): Promise<void> {
    const [first = '', name = '', action = '', ...rest] = call.target.rawPath.slice(PEER_PATH.length).split('/')
    if (first === 'trees' && name === '') return answerTrees(call, this.#options.trees())
    const route = Object.hasOwn(this.#routes, action) ? this.#routes[action] : undefined
    if (first !== 'trees' || route === undefined || rest.length > 0) {
      throw new FlotillaError('NOT_FOUND', 'there is nothing under that path')
    }
    if (!route.methods.includes(call.request.method ?? '')) {
      throw new FlotillaError('BAD_REQUEST', `${action} is asked for with ${route.methods.join(' or ')}`)
    }
    const tree = this.#options.trees().find((one) => one.name === decodeURIComponent(name))
    const allowed = tree === undefined ? [] : call.readable(tree.name)
    // A tree that may not be read is not told from one that is not there.
    if (tree === undefined || allowed.length === 0) {
      throw new FlotillaError('NOT_FOUND', `there is no tree ${decodeURIComponent(name)} that may be read`, {
        hint: 'Those that may be: flotilla files ls',
      })
    }
    await route.answer({ ...call, tree, allowed, signal })
  }

  #fail(response: ServerResponse, error: unknown): void {
    const known = isError(error) ? error : new FlotillaError('INTERNAL', 'the file service failed; its log says why')
    if (!isError(error)) this.#options.log.error('an answer to another node failed', { error: messageOf(error) })
    if (response.headersSent) {
      // Whoever reads sees that the answer is not whole.
      response.destroy()
      return
    }
    const { code, message, details } = known
    const body: ErrorBody = { error: { code, message, hint: details.hint } }
    if (!response.req.complete) response.setHeader('connection', 'close')
    response.writeHead(ERRORS[code].http, { 'content-type': 'application/json' })
    response.end(JSON.stringify(body))
  }
}
