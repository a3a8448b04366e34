import { Mirror } from '../agent/mirror.ts'
import type { NodeFiles } from '../core/files/report.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Entry, Store } from '../core/store.ts'
import type { NodeAlive } from '../core/target.ts'
import { Secret } from '../lib/secret.ts'
import type { Member } from './cluster-source.ts'

/** Which other nodes serve which trees of files, as they say it. */
export class ClusterMembers {
  readonly service: Service
  readonly #mirror: Mirror
  readonly #self: string

  constructor(store: Store, self: string) {
    this.#self = self
    this.#mirror = new Mirror({ store, prefixes: [keys.nodes], onChange: () => undefined })
    this.service = this.#mirror
  }

  /** Those that are alive and may be fed with the tree by any node of the cluster: node → URL of its file service. */
  fed(tree: string): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    for (const [key, entry] of this.#mirror.entries) {
      const node = parseNodeKey(key)?.node
      if (node === undefined || node === this.#self || key !== keys.alive(node)) continue
      const { filesUrl: url, filesFed = [] } = read<NodeAlive>(entry)
      if (typeof url === 'string' && filesFed.includes(tree)) found.set(node, url)
    }
    return found
  }

  /** Whether the node belongs to the cluster, be it alive or not, and does not say that it is to be found elsewhere or has no such tree. */
  mayReturn(node: string, tree: string): boolean {
    const { entries, revision } = this.#mirror
    if (revision === undefined) return true
    const alive = entries.get(keys.alive(node))
    return entries.has(keys.joined(node)) && (alive === undefined || this.fed(tree).has(node))
  }

  /** Those that are alive and have the whole tree. */
  of(tree: string): readonly Member[] {
    const { entries } = this.#mirror
    const members: Member[] = []
    for (const [key, entry] of entries) {
      const node = parseNodeKey(key)?.node
      if (node === undefined || node === this.#self || key !== keys.alive(node)) continue
      const { filesUrl: url, filesTrees = [], filesPulled = [] } = read<NodeAlive>(entry)
      if (typeof url !== 'string' || !filesTrees.includes(tree)) continue
      const isOrigin = !filesPulled.includes(tree)
      if (isOrigin || read<NodeFiles>(entries.get(keys.files(node, tree))).state === 'in-step') {
        members.push({ node, url, isOrigin })
      }
    }
    return members
  }
}

/** The key by which nodes of a cluster know each other; undefined while it is not known. */
export async function peerKeyOf(store: Store, op: Op): Promise<Secret | undefined> {
  const entry = await store.get(keys.peerKey, op)
  return entry && new Secret(entry.value)
}

/** Each node writes its own entries: one that says nonsense says nothing. */
function read<T extends object>(entry: Entry | undefined): Partial<T> {
  try {
    return (JSON.parse(entry?.value ?? '{}') ?? {}) as Partial<T>
  } catch {
    return {}
  }
}
