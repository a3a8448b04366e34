import { randomUUID } from 'node:crypto'
import type { CreateTokenAnswer } from '../core/api.ts'
import type {
  ChangeAnswer,
  DefinitionAnswer,
  DefinitionsAnswer,
  ProfileAnswer,
  ProfileHistoryAnswer,
  ProfileParamAnswer,
  ProfileParamsAnswer,
  ProfilesAnswer,
  ProfileTokenRequest,
  TransactionAnswer,
} from '../core/api-profiles.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { ProfileOperation } from '../core/profile/change.ts'
import type { Definition } from '../core/profile/profile.ts'
import { apiPath, HubConnection, type HubConnectionOptions } from '../lib/hub-connection.ts'
import { answered, LOST } from './answered.ts'

export interface ProfilesClientOptions extends HubConnectionOptions {
  readonly clock: Clock
}

/**
 * Profiles, params and transactions of a hub. Every method rejects with the `FlotillaError` that the hub answers, or
 * `UNREACHABLE`. A change whose answer is lost is asked for again, under the same key: it is done once, and its answer is the
 * first one. A race that is lost is never tried again here.
 */
export class ProfilesClient {
  readonly #hub: HubConnection
  readonly #clock: Clock

  constructor({ clock, ...options }: ProfilesClientOptions) {
    this.#hub = new HubConnection(options)
    this.#clock = clock
  }

  close(): void {
    this.#hub.close()
  }

  list(op?: Op): Promise<ProfilesAnswer> {
    return this.#get(['profiles'], {}, op)
  }

  get(name: string, op?: Op): Promise<ProfileAnswer> {
    return this.#get(['profiles', name], {}, op)
  }

  params(name: string, aggregate?: true, op?: Op): Promise<ProfileParamsAnswer> {
    return this.#get(['profiles', name, 'params'], { aggregate }, op)
  }

  /** Rejects with `NOT_FOUND` where it is not set and has no default. */
  param(name: string, param: string, aggregate?: true, op?: Op): Promise<ProfileParamAnswer> {
    return this.#get(['profiles', name, 'params', param], { aggregate }, op)
  }

  history(name: string, op?: Op): Promise<ProfileHistoryAnswer> {
    return this.#get(['profiles', name, 'history'], {}, op)
  }

  at(name: string, version: number, op?: Op): Promise<ProfileAnswer> {
    return this.#get(['profiles', name, 'history', version], {}, op)
  }

  /** One change, if what it expects is so. Rejects with `LOST_RACE`, whose `conflict` says what is there. */
  async change(operation: ProfileOperation, op?: Op): Promise<ChangeAnswer> {
    const [change] = (await this.transact([operation], op)).changes
    if (change === undefined) throw new FlotillaError('INTERNAL', 'the hub answered nothing to a change')
    return change
  }

  /** All changes, or none. */
  async transact(operations: readonly ProfileOperation[], op: Op = {}): Promise<TransactionAnswer> {
    const headers = { 'idempotency-key': randomUUID() }
    const path = apiPath(['transactions'])
    const ask = (): Promise<TransactionAnswer> =>
      this.#hub.json({ method: 'POST', path, json: { operations }, headers, isRepeatable: true, ifLost: LOST, ...op })
    return answered(this.#clock, ask, op)
  }

  definitions(op?: Op): Promise<DefinitionsAnswer> {
    return this.#get(['params'], {}, op)
  }

  definition(param: string, op?: Op): Promise<DefinitionAnswer> {
    return this.#get(['params', param], {}, op)
  }

  /** With `isNew`, rejects with `LOST_RACE` where there is one already. */
  define(param: string, definition: Omit<Definition, 'name'>, isNew: boolean, op?: Op): Promise<DefinitionAnswer> {
    const headers = isNew ? { 'if-none-match': '*' } : {}
    return this.#hub.json({ method: 'PUT', path: apiPath(['params', param]), json: definition, headers, ...op })
  }

  async undefine(param: string, op?: Op): Promise<void> {
    await this.#hub.json({ method: 'DELETE', path: apiPath(['params', param]), ifLost: LOST, ...op })
  }

  /** The only answer that ever holds the token itself. */
  token(name: string, request: ProfileTokenRequest, op?: Op): Promise<CreateTokenAnswer> {
    return this.#hub.json({
      method: 'POST',
      path: apiPath(['profiles', name, 'token']),
      json: request,
      ifLost: LOST,
      ...op,
    })
  }

  #get<Answer>(
    parts: Parameters<typeof apiPath>[0],
    query: NonNullable<Parameters<typeof apiPath>[1]>,
    op?: Op,
  ): Promise<Answer> {
    return this.#hub.json({ method: 'GET', path: apiPath(parts, query), ...op })
  }
}
