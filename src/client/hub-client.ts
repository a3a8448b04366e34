import type {
  ActiveRequest,
  CreateTokenAnswer,
  CreateTokenRequest,
  DiffAnswer,
  HealthAnswer,
  HistoryAnswer,
  ItemsAnswer,
  JoinAnswer,
  JoinCodeAnswer,
  JoinCodeRequest,
  JoinRequest,
  MissingAnswer,
  NodesAnswer,
  ReleaseAnswer,
  ReleaseRequest,
  ReloadAnswer,
  ReloadRequest,
  RescanRequest,
  RollbackRequest,
  StatusAnswer,
  TokenInfo,
  TokensAnswer,
  WhyAnswer,
} from '../core/api.ts'
import type { DrainAnswer, DrainRequest, PolicyAnswer, RolloutAnswer, RolloutRequest } from '../core/api-rollout.ts'
import { isError } from '../core/errors.ts'
import type { ListAnswer, ListChange, ListChangeAnswer, ListName } from '../core/lists.ts'
import type { Op } from '../core/op.ts'
import type { ReleaseRecord } from '../core/release.ts'
import type { Strategy } from '../core/rollout.ts'
import { apiPath, HubConnection, type HubConnectionOptions } from '../lib/hub-connection.ts'

/** A file pushed by itself; the rest of the tree stays as it is. */
export interface FilePush extends Op {
  readonly message?: string | undefined
  /** Go on although the guard says that too much would be removed. */
  readonly confirmRemoval?: boolean | undefined
}

const LOOK_FIRST = 'It is not known whether it was done: look at the history or the status, then decide again.'

/**
 * The hub's API, one method a call. Every method rejects with the `FlotillaError` the hub answers, or `UNREACHABLE`.
 * Nothing is tried again by itself: a call that changes something and was lost on the way says that it may have been done.
 */
export class HubClient {
  readonly #hub: HubConnection

  constructor(options: HubConnectionOptions) {
    this.#hub = new HubConnection(options)
  }

  get url(): string {
    return this.#hub.url
  }

  close(): void {
    this.#hub.close()
  }

  /** Rejects with `NOT_READY` while the hub cannot reach its store. Needs no token. */
  ready(op?: Op): Promise<HealthAnswer> {
    return this.#hub.json({ method: 'GET', path: '/readyz', ...op })
  }

  whoami(op?: Op): Promise<TokenInfo> {
    return this.#get(['whoami'], {}, op)
  }

  status(tree: string, op?: Op): Promise<StatusAnswer> {
    return this.#get(['status'], { tree }, op)
  }

  nodes(op?: Op): Promise<NodesAnswer> {
    return this.#get(['nodes'], {}, op)
  }

  /** Removes what the cluster knows of a node, and ends its credential. */
  async forgetNode(node: string, op?: Op): Promise<void> {
    await this.#delete(['nodes', node], {}, op)
  }

  release(tree: string, request: ReleaseRequest, op?: Op): Promise<ReleaseAnswer> {
    return this.#post(['trees', tree, 'releases'], request, op)
  }

  /** Releases what stands in the folder that the hub follows for the tree. */
  rescan(tree: string, request: RescanRequest, op?: Op): Promise<ReleaseAnswer> {
    return this.#post(['trees', tree, 'rescan'], request, op)
  }

  /** Newest first; as many as the hub allows when there is no `limit`. */
  history(tree: string, limit?: number, op?: Op): Promise<HistoryAnswer> {
    return this.#get(['trees', tree, 'releases'], { limit }, op)
  }

  releaseRecord(tree: string, number: number, op?: Op): Promise<ReleaseRecord> {
    return this.#get(['trees', tree, 'releases', number], {}, op)
  }

  rollback(tree: string, request: RollbackRequest, op?: Op): Promise<ReleaseAnswer> {
    return this.#post(['trees', tree, 'rollback'], request, op)
  }

  diff(tree: string, from: number, to: number, op?: Op): Promise<DiffAnswer> {
    return this.#get(['trees', tree, 'diff'], { from, to }, op)
  }

  /** Of the current release when there is no number. */
  items(tree: string, release?: number, op?: Op): Promise<ItemsAnswer> {
    return this.#get(['trees', tree, 'datasets'], { release }, op)
  }

  why(tree: string, dataset: string, op?: Op): Promise<WhyAnswer> {
    return this.#get(['trees', tree, 'datasets', dataset, 'why'], {}, op)
  }

  setActive(tree: string, dataset: string, request: ActiveRequest, op?: Op): Promise<ReleaseAnswer> {
    return this.#post(['trees', tree, 'datasets', dataset, 'active'], request, op)
  }

  /** "Do it again": reload datasets, or clear their caches. */
  request(tree: string, request: ReloadRequest, op?: Op): Promise<ReloadAnswer> {
    return this.#post(['trees', tree, 'requests'], request, op)
  }

  /** The rollout that is under way, or the last one. */
  rollout(tree: string, op?: Op): Promise<RolloutAnswer> {
    return this.#get(['trees', tree, 'rollout'], {}, op)
  }

  /** Takes a release that was taken back out once more, or something that every node is to do, in waves. */
  startRollout(tree: string, request: RolloutRequest, op?: Op): Promise<RolloutAnswer> {
    return this.#post(['trees', tree, 'rollout'], request, op)
  }

  /** Rejects with `NOT_FOUND` where none is under way. */
  steerRollout(tree: string, what: 'pause' | 'resume' | 'abort', op?: Op): Promise<RolloutAnswer> {
    return this.#post(['trees', tree, 'rollout', what], undefined, op)
  }

  policy(tree: string, op?: Op): Promise<PolicyAnswer> {
    return this.#get(['trees', tree, 'policy'], {}, op)
  }

  /** Releases of the tree go out in waves from now on, with these settings over the defaults. */
  putPolicy(tree: string, strategy: Partial<Strategy>, op?: Op): Promise<PolicyAnswer> {
    return this.#put(['trees', tree, 'policy'], strategy, op)
  }

  /** Releases of the tree go to every node at once again. */
  async deletePolicy(tree: string, op?: Op): Promise<void> {
    await this.#delete(['trees', tree, 'policy'], {}, op)
  }

  /** The proxies send the node no new requests, or none for some datasets. */
  drain(node: string, request: DrainRequest, op?: Op): Promise<DrainAnswer> {
    return this.#put(['nodes', node, 'drain'], request, op)
  }

  undrain(node: string, op?: Op): Promise<DrainAnswer> {
    return this.#delete(['nodes', node, 'drain'], {}, op)
  }

  list(tree: string, list: ListName, op?: Op): Promise<ListAnswer> {
    return this.#get(['trees', tree, 'lists', list], {}, op)
  }

  /** Puts values on a list and takes others off, all at once. */
  changeList(tree: string, list: ListName, change: ListChange, op?: Op): Promise<ListChangeAnswer> {
    return this.#post(['trees', tree, 'lists', list], change, op)
  }

  /** Releases the tree with this one file new or changed. */
  putFile(tree: string, path: string, content: Uint8Array, options: FilePush = {}): Promise<ReleaseAnswer> {
    const { signal, ...query } = options
    return this.#hub.json({
      method: 'PUT',
      path: apiPath(['trees', tree, 'files', ...path.split('/')], query),
      bytes: content,
      ifLost: LOOK_FIRST,
      signal,
    })
  }

  /** Releases the tree without this one file. */
  deleteFile(tree: string, path: string, options: FilePush = {}): Promise<ReleaseAnswer> {
    const { signal, ...query } = options
    return this.#delete(['trees', tree, 'files', ...path.split('/')], query, { signal })
  }

  missingBlobs(sha256: readonly string[], op?: Op): Promise<MissingAnswer> {
    return this.#post(['blobs', 'missing'], { sha256 }, op)
  }

  /** The hub keeps the blob only if its bytes have that hash; else it answers `BAD_REQUEST`. */
  async putBlob(sha256: string, content: Uint8Array | AsyncIterable<Uint8Array>, op?: Op): Promise<void> {
    await this.#hub.json({ method: 'PUT', path: apiPath(['blobs', sha256]), bytes: content, ...op })
  }

  async hasBlob(sha256: string, op?: Op): Promise<boolean> {
    try {
      const answer = await this.#hub.open({ method: 'HEAD', path: apiPath(['blobs', sha256]), ...op })
      answer.resume()
      return true
    } catch (error) {
      if (isError(error, 'NOT_FOUND')) return false
      throw error
    }
  }

  /** The bytes as they come; not verified here. Stopping early is allowed. */
  openBlob(sha256: string, op?: Op): Promise<AsyncIterable<Uint8Array>> {
    return this.#hub.open({ method: 'GET', path: apiPath(['blobs', sha256]), ...op })
  }

  /** All that the store holds, as bytes that are to be looked at before they are trusted. */
  async backup(op?: Op): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    const answer: AsyncIterable<Uint8Array> = await this.#hub.open({
      method: 'GET',
      path: apiPath(['store', 'backup']),
      ...op,
    })
    for await (const chunk of answer) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  tokens(op?: Op): Promise<TokensAnswer> {
    return this.#get(['tokens'], {}, op)
  }

  createToken(request: CreateTokenRequest, op?: Op): Promise<CreateTokenAnswer> {
    return this.#post(['tokens'], request, op)
  }

  async revokeToken(id: string, op?: Op): Promise<void> {
    await this.#delete(['tokens', id], {}, op)
  }

  /** With which one node joins; it may make releases of the trees of which it is a source. */
  createJoinCode({ sources, ...op }: JoinCodeRequest & Op = {}): Promise<JoinCodeAnswer> {
    return this.#post(['join-codes'], sources && { sources }, op)
  }

  /** Needs no token: the code is the credential, and is used up. */
  join(request: JoinRequest, op?: Op): Promise<JoinAnswer> {
    return this.#post(['join'], request, op)
  }

  #get<Answer>(parts: Parts, query: Query, op?: Op): Promise<Answer> {
    return this.#hub.json({ method: 'GET', path: apiPath(parts, query), ...op })
  }

  #post<Answer>(parts: Parts, json: object | undefined, op?: Op): Promise<Answer> {
    return this.#hub.json({ method: 'POST', path: apiPath(parts), json, ifLost: LOOK_FIRST, ...op })
  }

  #put<Answer>(parts: Parts, json: object, op?: Op): Promise<Answer> {
    return this.#hub.json({ method: 'PUT', path: apiPath(parts), json, ifLost: LOOK_FIRST, ...op })
  }

  #delete<Answer>(parts: Parts, query: Query, op?: Op): Promise<Answer> {
    return this.#hub.json({ method: 'DELETE', path: apiPath(parts, query), ifLost: LOOK_FIRST, ...op })
  }
}

type Parts = Parameters<typeof apiPath>[0]
type Query = NonNullable<Parameters<typeof apiPath>[1]>

/** Trades a join code for the credential of `node`. */
export async function join(url: string, request: JoinRequest, op?: Op): Promise<JoinAnswer> {
  const client = new HubClient({ url })
  try {
    return await client.join(request, op)
  } finally {
    client.close()
  }
}
