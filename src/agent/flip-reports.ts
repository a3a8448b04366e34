import type { FlipRecord } from '../core/files/flip.ts'
import type { NodeFiles } from '../core/files/report.ts'
import { keys, parseNodeKey } from '../core/keys.ts'
import type { Entry } from '../core/store.ts'

type Entries = ReadonlyMap<string, Entry>

/** What one node says of the groups of a tree that it flips together with others. */
export interface Reported {
  readonly node: string
  readonly alive: boolean
  readonly groups: NonNullable<NodeFiles['groups']>
}

/** Whether a change of this key may mean another flip. */
export function concerns(key: string): boolean {
  return key.startsWith(keys.flips) || /^node\/[^/]+\/(?:alive$|files\/)/.test(key)
}

export function flipIn(entries: Entries, tree: string, group: string): FlipRecord | undefined {
  return parsed(entries.get(keys.flip(tree, group)), isFlip)
}

/** By name of the node. */
export function reportsIn(entries: Entries, tree: string): readonly Reported[] {
  const found: Reported[] = []
  for (const entry of entries.values()) {
    const at = parseNodeKey(entry.key)
    if (at?.family !== 'files' || at.tree !== tree) continue
    const groups = parsed(entry, isReport)?.groups
    if (groups !== undefined) found.push({ node: at.node, alive: entries.has(keys.alive(at.node)), groups })
  }
  return found.toSorted((a, b) => (a.node < b.node ? -1 : 1))
}

/** What another node wrote: where it has not the right form, it is as if it were not there. */
function parsed<T>(entry: Entry | undefined, is: (value: unknown) => value is T): T | undefined {
  if (entry === undefined) return undefined
  try {
    const value: unknown = JSON.parse(entry.value)
    return is(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isFlip(value: unknown): value is FlipRecord {
  const { generation, number } = (value ?? {}) as Partial<FlipRecord>
  return typeof generation === 'string' && Number.isSafeInteger(number)
}

function isReport(value: unknown): value is Pick<NodeFiles, 'groups'> {
  const { groups = {} } = (value ?? {}) as Partial<NodeFiles>
  return Object.values(groups).every(
    (group) =>
      Number.isSafeInteger(group?.asOf) &&
      Array.isArray(group?.staged) &&
      group.staged.every((one) => typeof one === 'string'),
  )
}
