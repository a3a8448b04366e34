import { randomUUID } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError, isError, messageOf } from '../../core/errors.ts'
import { keys } from '../../core/keys.ts'
import type { Logger } from '../../core/log.ts'
import type { Desired, Request } from '../../core/release.ts'
import type { Service } from '../../core/service.ts'
import type { Batch, Change, Store } from '../../core/store.ts'
import { Backoff } from '../../lib/backoff.ts'
import { Wake } from '../../lib/wake.ts'
import type { Releases } from '../../releases/releases.ts'
import {
  BRIDGE_AUTHOR,
  COMPILE,
  isBearable,
  isFromThere,
  listSaying,
  parseListKey,
  requestSaying,
  type Saying,
} from './sayings.ts'
import type { Message } from './wire.ts'

/** A way to its nodes. */
export interface Peer {
  readonly name: string
  /** Rejects with `UNREACHABLE`, and with `BAD_REQUEST` and the reason when the other side has heard it and refuses. */
  send(message: Message, signal: AbortSignal): Promise<void>
}

export interface TellerDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Logger
  readonly releases: Releases
  readonly tree: string
  /** The name by which its nodes know this one: messages that are not meant for it are passed over. */
  readonly hostname: string
}

/** Value of `bridge/<tree>/<peer>`: of all up to that revision the peer has been told. */
interface Told {
  readonly revision: number
  /** The one that was desired then. */
  readonly release: number
}

const FIRST_MS = 1000
const MAX_MS = 60_000
const IDLE_MS = 3_600_000

/**
 * Tells a peer of releases, requests and lists, but for what came from there. Until it has been told, it is told again;
 * of each thing only the newest counts. Where it stands is kept in the store: what was not told before the hub
 * was stopped is told after, and a little of it perhaps twice, which does no harm.
 */
export function teller(peer: Peer, deps: TellerDeps): Service {
  return {
    name: `erddaputil ${peer.name}`,
    run: async (signal) => {
      const told = (await toldBefore(peer, deps, signal)) ?? (await beginNow(peer, deps, signal))
      await new Teller(peer, deps, told).run(signal)
    },
  }
}

async function toldBefore(peer: Peer, { store, tree }: TellerDeps, signal: AbortSignal): Promise<Told | undefined> {
  const entry = await store.get(keyOf(peer, tree), { signal })
  return entry && (JSON.parse(entry.value) as Told)
}

/** A peer that is new has what there is. */
async function beginNow(peer: Peer, { store, tree }: TellerDeps, signal: AbortSignal): Promise<Told> {
  const key = keys.desired(tree)
  const { entries, revision } = await store.list(key, { signal })
  const told = { revision, release: releaseIn(entries.find((entry) => entry.key === key)?.value) }
  await keep(store, keyOf(peer, tree), told, signal)
  return told
}

class Teller {
  readonly #peer: Peer
  readonly #deps: TellerDeps
  readonly #wake: Wake<'more'>
  /** What is still to be told, by the key in the store that it comes from. */
  readonly #waiting = new Map<string, Saying>()
  #seen: Told
  #told: Told

  constructor(peer: Peer, deps: TellerDeps, told: Told) {
    this.#peer = peer
    this.#deps = deps
    this.#wake = new Wake(deps.clock)
    this.#told = told
    this.#seen = told
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    const both = [this.#listen(either), this.#speak(either)].map((part) => part.finally(() => stop.abort()))
    await Promise.all(both)
  }

  async #listen(signal: AbortSignal): Promise<void> {
    for await (const { changes, revision } of changesAfter(this.#told.revision, this.#deps, signal)) {
      let { release } = this.#seen
      for (const change of changes) {
        if (keyIn(change) === keys.desired(this.#deps.tree)) release = await this.#takeDesired(change, release, signal)
        else this.#take(change)
      }
      this.#seen = { revision, release }
      this.#wake.poke('more')
    }
  }

  async #takeDesired(change: Change, before: number, signal: AbortSignal): Promise<number> {
    const { tree, releases } = this.#deps
    const release = change.op === 'put' ? releaseIn(change.entry.value) : before
    if (release === before) return release
    const { author } = await releases.get(tree, release, { signal })
    if (author !== BRIDGE_AUTHOR) this.#wait(keyIn(change), COMPILE)
    return release
  }

  #take(change: Change): void {
    const key = keyIn(change)
    const isPut = change.op === 'put'
    const listed = parseListKey(key)
    if (isPut && isFromThere(change.entry.value)) {
      // What they have said of an address since is newer than what they would be told.
      if (listed !== undefined) this.#waiting.delete(key)
    } else if (listed !== undefined) {
      const { list, value } = listed
      if (isBearable(value)) this.#wait(key, listSaying(list, value, isPut))
      else this.#deps.log.warn('a network that nodes of ERDDAPUtil cannot be told of', { node: this.#peer.name, value })
    } else if (isPut && key.startsWith(keys.requests(this.#deps.tree))) {
      const saying = requestSaying(JSON.parse(change.entry.value) as Request)
      if (saying !== undefined) this.#wait(key, saying)
    }
  }

  #wait(key: string, saying: Saying): void {
    this.#waiting.delete(key)
    this.#waiting.set(key, saying)
  }

  async #speak(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstMs: FIRST_MS, maxMs: MAX_MS, random: Math.random })
    while (!signal.aborted) {
      const [next] = this.#waiting
      if (next === undefined) {
        await this.#keep(signal)
        if (this.#waiting.size === 0) await this.#wake.wait({ ms: IDLE_MS, signal })
        continue
      }
      const [key, saying] = next
      const isDone = await this.#tell(saying, backoff, signal)
      if (isDone) backoff.reset()
      else await this.#wake.wait({ ms: backoff.nextMs(), signal })
      if (this.#waiting.get(key) !== saying) continue
      this.#waiting.delete(key)
      // Behind the others, which may be obeyed.
      if (!isDone) this.#waiting.set(key, saying)
    }
  }

  /** True when there is nothing to be told again. */
  async #tell({ name, kwargs, again }: Saying, { failures }: Backoff, signal: AbortSignal): Promise<boolean> {
    const { log, hostname } = this.#deps
    const what = { node: this.#peer.name, command: name }
    try {
      await this.#peer.send({ name, kwargs, ignore: [hostname], guid: randomUUID() }, signal)
      log.info('told a node of ERDDAPUtil', what)
      return true
    } catch (error) {
      if (signal.aborted) return false
      const isOver = isError(error, 'BAD_REQUEST') && again !== true
      const text = isOver ? 'a node of ERDDAPUtil refused' : 'a node of ERDDAPUtil could not be told'
      log[isOver || failures === 0 ? 'warn' : 'debug'](text, { ...what, error: messageOf(error) })
      return isOver
    }
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const told = this.#seen
    if (told.revision === this.#told.revision) return
    await keep(this.#deps.store, keyOf(this.#peer, this.#deps.tree), told, signal)
    this.#told = told
  }
}

/** Every change of the tree after a revision, as far as the store still knows them; else how it is now. */
async function* changesAfter(
  after: number,
  { store, tree, log }: TellerDeps,
  signal: AbortSignal,
): AsyncIterable<Batch> {
  const prefixes = [keys.desired(tree), keys.requests(tree), keys.lists(tree)] as const
  const [first, ...also] = prefixes
  try {
    yield* store.watch(first, { after, also, signal })
    return
  } catch (error) {
    if (!isError(error, 'COMPACTED')) throw error
    log.warn('what came off a list meanwhile is not told to nodes of ERDDAPUtil: it is no longer known', { after })
  }
  const listings = await Promise.all(prefixes.map(async (prefix) => await store.list(prefix, { signal })))
  const entries = listings.flatMap((listing) => listing.entries).filter((entry) => entry.revision > after)
  const revision = Math.min(...listings.map((listing) => listing.revision))
  yield { revision, changes: entries.map((entry) => ({ op: 'put', entry })) }
  yield* store.watch(first, { after: revision, also, signal })
}

async function keep(store: Store, key: string, told: Told, signal: AbortSignal): Promise<void> {
  const commit = await store.commit({ changes: [{ op: 'put', key, value: JSON.stringify(told) }] }, { signal })
  if (!commit.committed) throw new FlotillaError('INTERNAL', 'a commit without expectations was refused')
}

function keyOf({ name }: Peer, tree: string): string {
  return keys.bridge(tree, encodeURIComponent(name))
}

function keyIn(change: Change): string {
  return change.op === 'put' ? change.entry.key : change.key
}

function releaseIn(value: string | undefined): number {
  return value === undefined ? 0 : (JSON.parse(value) as Desired).release
}
