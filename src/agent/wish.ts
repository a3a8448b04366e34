import { keys } from '../core/keys.ts'
import { type ListEntry, type ListName, type Lists, LISTS } from '../core/lists.ts'
import { type Desired, type PendingRequest, type Request, REQUEST_KINDS } from '../core/release.ts'
import type { Pin, Sample } from '../core/rollout.ts'
import type { Entry } from '../core/store.ts'

/** What this node should do about one tree. */
export interface Wanted {
  readonly desired: Desired
  /** Oldest first. */
  readonly requests: readonly PendingRequest[]
  readonly lists?: Lists | undefined
  readonly samples?: readonly Sample[] | undefined
  /**
   * Everything that the store holds of this up to that revision is in it; 0 where it was remembered and the store may say
   * something else by now.
   */
  readonly asOf: number
}

export type Wish = Omit<Wanted, 'asOf' | 'lists'>

/** What the entries say of the release and of requests; undefined while nothing was ever released. A pin goes before the rest. */
export function wishOf(tree: string, node: string, entries: ReadonlyMap<string, Entry>): Wish | undefined {
  const pinned = entries.get(keys.pin(tree, node))
  const pin = pinned && parse(pinned, isPin)
  const base = entries.get(keys.desired(tree))
  const { release, manifest } = pin ?? (base && parse(base, isDesired)) ?? {}
  if (release === undefined || manifest === undefined) return undefined
  const requests: PendingRequest[] = []
  for (const request of pin?.requests ?? [])
    requests.push({ ...request, generation: pinned?.revision ?? 0, pinned: true })
  for (const entry of entries.values()) {
    if (!entry.key.startsWith(keys.requests(tree))) continue
    const request = parse(entry, isRequest)
    if (request !== undefined && isFor(node, request)) requests.push({ ...request, generation: entry.revision })
  }
  return {
    desired: { release, manifest },
    requests: requests.toSorted((a, b) => a.generation - b.generation),
    ...(pin?.samples !== undefined && { samples: pin.samples }),
  }
}

function isFor(node: string, { kind, item }: Request): boolean {
  return kind !== 'flush-logs' || item === '*' || item === node
}

export function listsOf(tree: string, entries: ReadonlyMap<string, Entry>): Lists {
  const values: Record<ListName, string[]> = {
    requestBlacklist: [],
    subscriptionEmailBlacklist: [],
    ipAddressUnlimited: [],
  }
  const prefix = keys.lists(tree)
  for (const entry of entries.values()) {
    if (!entry.key.startsWith(prefix)) continue
    const name = LISTS.find((list) => entry.key.startsWith(`${prefix}${list}/`))
    const value = parse(entry, isListEntry)?.value
    if (name !== undefined && value !== undefined) values[name].push(value)
  }
  for (const name of LISTS) values[name].sort()
  return values
}

/** Whether a key says something about what `node` should do about `tree`. */
export function concerns(key: string, tree: string, node: string): boolean {
  const [family, of, who] = key.split('/', 3)
  if (of !== tree) return false
  return family !== 'desired' || who === undefined || who === node
}

/** Only the hub writes these keys. One that cannot be read is as good as absent: the last good state stays. */
function parse<T>(entry: Entry, is: (value: Partial<T>) => value is T): T | undefined {
  try {
    const value = JSON.parse(entry.value) as Partial<T> | null
    return typeof value === 'object' && value !== null && is(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isDesired(value: Partial<Desired>): value is Desired {
  return Number.isSafeInteger(value.release) && typeof value.manifest === 'string'
}

function isRequest(value: Partial<Request>): value is Request {
  return REQUEST_KINDS.some((kind) => kind === value.kind) && typeof value.item === 'string'
}

function isListEntry(value: Partial<ListEntry>): value is ListEntry {
  return typeof value.value === 'string'
}

/** One with a request or a sample that cannot be read is none: what it asks for must not be passed over. */
function isPin(value: Partial<Pin>): value is Pin {
  const { samples = [], requests = [] } = value
  if (!isDesired(value) || !Array.isArray(samples) || !Array.isArray(requests)) return false
  return samples.every((each: unknown) => isObject(each) && isSample(each)) && requests.every(isWhole)
}

function isWhole(request: unknown): boolean {
  return isObject(request) && isRequest(request)
}

function isSample({ path, status, contains, timeoutMs }: Partial<Sample>): boolean {
  const isText = contains === undefined || typeof contains === 'string'
  return typeof path === 'string' && typeof status === 'number' && typeof timeoutMs === 'number' && isText
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
