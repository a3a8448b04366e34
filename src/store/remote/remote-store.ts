import type { EntryAnswer, ErrorBody, LeaseAnswer } from '../../core/api.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { Op } from '../../core/op.ts'
import { checkKey, checkPrefix, checkPrefixes, checkRevision, checkTtl, checkTxn } from '../../core/store-limits.ts'
import type { Batch, Commit, Entry, Lease, Listing, Store, Txn, WatchOptions } from '../../core/store.ts'
import { apiPath, HubConnection, type JsonRequest } from '../../lib/hub-connection.ts'
import type { Secret } from '../../lib/secret.ts'
import { parseEvents } from '../../lib/sse.ts'

export interface RemoteStoreOptions {
  readonly url: string
  readonly token: Secret
  /** How long a hub may be silent before a call or a watch ends with `UNREACHABLE`; at least twice its heartbeat. */
  readonly silenceMs?: number
}

const EVENT_CHARS = 64 * 1024 * 1024
const AMBIGUOUS = 'It is not known whether the commit was made: read the keys again, then decide.'

/**
 * The store of a hub, over its HTTP API, as far as the token may see and change it: entries it may not read are left
 * out of listings and watches, and `Entry.leaseId` is given only for keys it may write.
 */
export function openRemoteStore(options: RemoteStoreOptions): Store {
  return new RemoteStore(options)
}

class RemoteStore implements Store {
  readonly #hub: HubConnection
  readonly #closing = new AbortController()
  readonly #pending = new Set<Promise<unknown>>()

  constructor(options: RemoteStoreOptions) {
    this.#hub = new HubConnection(options)
  }

  async get(key: string, op?: Op): Promise<Entry | undefined> {
    checkKey(key)
    const answer: EntryAnswer = await this.#call({ method: 'GET', path: apiPath(['store', 'entry'], { key }), ...op })
    return answer.entry
  }

  async list(prefix: string, op?: Op): Promise<Listing> {
    checkPrefix(prefix)
    return this.#call({ method: 'GET', path: apiPath(['store', 'entries'], { prefix }), ...op })
  }

  async commit(txn: Txn, op?: Op): Promise<Commit> {
    checkTxn(txn)
    return this.#call({
      method: 'POST',
      path: apiPath(['store', 'commit']),
      json: txn,
      ifLost: AMBIGUOUS,
      signal: op?.signal,
    })
  }

  async *watch(prefix: string, { after, also, signal }: WatchOptions): AsyncGenerator<Batch, void> {
    checkPrefixes(prefix, also)
    checkRevision(after)
    this.#checkOpen()
    const ended = AbortSignal.any([signal, this.#closing.signal])
    try {
      const path = apiPath(['store', 'watch'], { prefix, after, also })
      const answer = await this.#hub.open({ method: 'GET', path, signal: ended })
      try {
        for await (const { event, data } of parseEvents(answer, EVENT_CHARS)) {
          if (event === 'batch') yield JSON.parse(data) as Batch
          if (event === 'error') throw this.#told(data)
        }
      } finally {
        answer.destroy()
      }
    } catch (error) {
      if (ended.aborted) return
      throw error instanceof FlotillaError ? error : this.#brokeOff(error)
    }
    if (!ended.aborted) throw this.#brokeOff()
  }

  async grantLease(ttlMs: number, op?: Op): Promise<Lease> {
    checkTtl(ttlMs)
    const path = apiPath(['store', 'leases'])
    const { id }: LeaseAnswer = await this.#call({ method: 'POST', path, json: { ttlMs }, signal: op?.signal })
    return this.lease(id)
  }

  lease(id: string): Lease {
    const call = async (method: 'POST' | 'DELETE', parts: readonly string[], op?: Op): Promise<void> => {
      await this.#call({ method, path: apiPath(['store', 'leases', id, ...parts]), signal: op?.signal })
    }
    return { id, renew: (op) => call('POST', ['renew'], op), revoke: (op) => call('DELETE', [], op) }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.allSettled(this.#pending)
    this.#hub.close()
  }

  async #call<Answer>(request: JsonRequest): Promise<Answer> {
    this.#checkOpen()
    const answer = this.#hub.json<Answer>(request)
    this.#pending.add(answer)
    try {
      return await answer
    } finally {
      this.#pending.delete(answer)
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new FlotillaError('NOT_READY', 'the store is closed')
  }

  /** The error a hub sends as the last event of a watch; that it stops is no more than that it is gone. */
  #told(data: string): FlotillaError {
    const { code, message, hint } = (JSON.parse(data) as ErrorBody).error
    return code === 'NOT_READY' ? this.#brokeOff(message) : new FlotillaError(code, message, { hint })
  }

  #brokeOff(cause?: unknown): FlotillaError {
    return new FlotillaError('UNREACHABLE', `${this.#hub.url}: the watch broke off`, {
      hint: 'Watch on from the last revision seen; nothing is missed.',
      cause,
    })
  }
}
