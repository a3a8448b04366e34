import { messageOf } from '../../core/errors.ts'
import { keys, parseNodeKey } from '../../core/keys.ts'
import { nodeOf, nodeProfile } from '../../core/profile/profile.ts'
import type { Batch, Entry } from '../../core/store.ts'
import type { Caller } from '../../hub/caller.ts'
import type { HubContext } from '../../hub/context.ts'
import { isMachine, machineThing, machineUuid, partsIn, stateOf } from './machine-state.ts'
import { knownIn, profileThing } from './profiles.ts'
import type { Subscriber } from './subscriber.ts'
import type { Model, Thing } from './things.ts'

/** What one key of the store says about an object, before and after. */
interface Moved {
  readonly model: Model
  readonly name: string
}

type At = (key: string) => Entry | undefined

/** One watch of the store for everybody who listens at this hub, as long as somebody does. */
export class Feed {
  readonly #hub: HubContext
  readonly #subscribers = new Set<Subscriber>()
  #entries = new Map<string, Entry>()
  #stop: AbortController | undefined
  ready: Promise<void> = Promise.resolve()

  constructor(hub: HubContext) {
    this.#hub = hub
  }

  enter(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber)
    if (this.#stop !== undefined) return
    const stop = new AbortController()
    this.#stop = stop
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    promise.catch(() => undefined)
    void this.#follow(AbortSignal.any([stop.signal, this.#hub.closing]), resolve).catch((error: unknown) => {
      reject(error)
      if (!stop.signal.aborted) this.#hub.log.warn('events cannot be told', { error: messageOf(error) })
      // Its clients take the end of a connection for what it is: they look again, on a new one.
      for (const each of this.#subscribers) each.end()
      if (this.#stop === stop) this.#stop = undefined
    })
  }

  leave(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
    if (this.#subscribers.size > 0) return
    this.#stop?.abort()
    this.#stop = undefined
    this.#entries = new Map()
  }

  async #follow(signal: AbortSignal, ready: () => void): Promise<void> {
    const { store } = this.#hub
    const listings = [await store.list(keys.profiles, { signal }), await store.list(keys.nodes, { signal })]
    const entries = listings.flatMap((listing) => listing.entries.filter(({ key }) => isOfInterest(key)))
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]))
    const after = Math.min(...listings.map(({ revision }) => revision))
    ready()
    const also = [keys.nodes, keys.profileLogs]
    for await (const batch of store.watch(keys.profiles, { after, also, signal })) this.#apply(batch)
    if (!signal.aborted) throw new Error('the watch of the store has ended')
  }

  #apply({ changes }: Batch): void {
    const moved = new Map<string, Moved>()
    const before = new Map<string, Entry | undefined>()
    let by = ''
    for (const change of changes) {
      const key = change.op === 'put' ? change.entry.key : change.key
      if (change.op === 'put' && key.startsWith(keys.profileLogs)) by = authorIn(change.entry.value)
      if (!isOfInterest(key)) continue
      const old = this.#entries.get(key)
      // Of both listings, one was of a later moment.
      if (change.op === 'put' && old !== undefined && change.entry.revision <= old.revision) continue
      before.set(key, old)
      if (change.op === 'put') this.#entries.set(key, change.entry)
      else this.#entries.delete(key)
      for (const each of movedBy(key)) moved.set(`${each.model}/${each.name}`, each)
    }
    const old: At = (key) => (before.has(key) ? before.get(key) : this.#entries.get(key))
    const now: At = (key) => this.#entries.get(key)
    for (const each of moved.values()) this.#tell(each, old, now, by)
  }

  /** It is made only for those who want it, each of whom may see another part of it. */
  #tell(moved: Moved, old: At, now: At, by: string): void {
    const [was, is] = [old, now].map((at) => isThere(moved, at))
    if (was !== true && is !== true) return
    const action = was !== true ? 'create' : is !== true ? 'delete' : 'update'
    const key = keyOf(moved, is === true ? now : old)
    for (const subscriber of this.#subscribers) {
      if (!subscriber.wants(moved.model, action, key)) continue
      const { caller } = subscriber
      subscriber.tell(thingIn(moved, old, caller), thingIn(moved, now, caller), by)
    }
  }
}

function isOfInterest(key: string): boolean {
  const { family } = parseNodeKey(key) ?? {}
  return key.startsWith(keys.profiles) || family === 'joined' || family === 'meta' || family === 'machine'
}

function movedBy(key: string): readonly Moved[] {
  const node = parseNodeKey(key)?.node
  if (node !== undefined) return [{ model: 'machines', name: node }]
  const name = key.slice(keys.profiles.length)
  const of = nodeOf(name)
  return [{ model: 'profiles', name }, ...(of === undefined ? [] : [{ model: 'machines' as const, name: of }])]
}

function isThere({ model, name }: Moved, at: At): boolean {
  return model === 'profiles' ? at(keys.profile(name)) !== undefined : isMachine(partsIn(name, at))
}

function keyOf({ model, name }: Moved, at: At): string {
  return model === 'profiles' ? name : machineUuid({ name, record: partsIn(name, at).record })
}

/** Undefined where it is not there, or the caller may see nothing of it. */
function thingIn(moved: Moved, at: At, caller: Caller): Thing | undefined {
  const { model, name } = moved
  if (!isThere(moved, at)) return undefined
  const known = knownIn(at(keys.profile(model === 'profiles' ? name : nodeProfile(name))))
  if (model === 'machines') return machineThing(caller, stateOf(name, partsIn(name, at), known))
  return known && profileThing(caller, known)
}

function authorIn(value: string): string {
  const { by } = JSON.parse(value) as { readonly by?: { readonly label?: string } }
  return by?.label ?? ''
}
