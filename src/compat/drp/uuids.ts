import { createHash } from 'node:crypto'
import type { JsonObject } from '../../core/json-patch/json.ts'
import { keys, parseNodeKey } from '../../core/keys.ts'
import type { Entry, Store } from '../../core/store.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** The UUID of a node that was given none: made of its name, so every hub knows the same one. */
export function uuidOf(node: string): string {
  const hash = createHash('sha256').update(`${node}.node.flotilla`).digest().subarray(0, 16)
  // Version 8 of RFC 9562, for what one makes oneself.
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** Names that were found by their UUID: the first to ask for one looks through all nodes. */
export class NamesByUuid {
  readonly #store: Store
  readonly #names = new Map<string, string>()

  constructor(store: Store) {
    this.#store = store
  }

  async nameOf(uuid: string): Promise<string | undefined> {
    const known = this.#names.get(uuid)
    if (known !== undefined && (await this.#isStill(known, uuid))) return known
    this.#names.clear()
    for (const [name, record] of machineRecords((await this.#store.list(keys.nodes)).entries)) {
      this.#names.set(uuidIn(record) ?? uuidOf(name), name)
    }
    return this.#names.get(uuid)
  }

  async #isStill(name: string, uuid: string): Promise<boolean> {
    const [joined, entry] = await Promise.all([this.#store.get(keys.joined(name)), this.#store.get(keys.machine(name))])
    if (joined === undefined && entry === undefined) return false
    return (uuidIn(recordIn(entry)) ?? uuidOf(name)) === uuid
  }
}

/** Machines are the nodes that joined, and those that somebody created as machines only; with their records. */
export function machineRecords(entries: readonly Entry[]): ReadonlyMap<string, JsonObject> {
  const found = new Map<string, JsonObject>()
  for (const entry of entries) {
    const { node = '', family } = parseNodeKey(entry.key) ?? {}
    if (family === 'joined' && !found.has(node)) found.set(node, {})
    if (family === 'machine') found.set(node, recordIn(entry))
  }
  return found
}

/** Value of `node/<node>/machine`. What a node wrote raw may be anything. */
export function recordIn(entry: Pick<Entry, 'value'> | undefined): JsonObject {
  try {
    const record: unknown = entry === undefined ? {} : JSON.parse(entry.value)
    return typeof record === 'object' && record !== null && !Array.isArray(record) ? (record as JsonObject) : {}
  } catch {
    return {}
  }
}

export function uuidIn({ Uuid: uuid }: JsonObject): string | undefined {
  return typeof uuid === 'string' && isUuid(uuid) ? uuid : undefined
}
