import {
  CATALOG_LIMITS,
  type CatalogDifference,
  type CatalogProposal,
  type NodeCatalog,
  type NodeKept,
  type OrderOutcome,
} from '../core/api-catalog.ts'
import type { Role } from '../core/catalog/three-way.ts'
import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import { STORE_LIMITS } from '../core/store.ts'
import { together } from '../lib/together.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { Wake } from '../lib/wake.ts'
import { changeOf } from '../targets/geoserver/definition/change.ts'
import type { KeystoreCompare } from './keystore-compare.ts'
import type { CatalogLook, CatalogNode, Difference } from '../targets/geoserver/local.ts'

export interface TellingOptions {
  readonly tree: string
  readonly node: string
  readonly role: Role
  readonly catalog: CatalogNode
  /** The contents of a release by hash. */
  readonly read: (sha256: string, op: Op) => Promise<Uint8Array>
  readonly keystore: KeystoreCompare
  readonly proposal: () => CatalogProposal
  readonly outcomes: () => readonly OrderOutcome[]
  /** Says something of this node to the cluster. */
  readonly tell: (key: string, value: { readonly atMs: number }) => void
  readonly clock: Clock
}

/** Several things change within a moment: a look, what was proposed of it, what came of that. */
const SETTLE_MS = 200
const IDLE_MS = 3_600_000
/** Of so many differences it is told what they are: each takes two reads. */
const DETAILED_MAX = 50
const DETAIL_CHARS = 300
/** What two values may hold, each with room for its frame. */
const VALUE_CHARS = STORE_LIMITS.valueBytes / 4

const ORDER: readonly CatalogDifference['decision'][] = ['conflict', 'report', 'propose', 'apply']

/** Tells the cluster what differs here and why, what was kept, and how it stands with releases of this node's own changes. */
export class Telling implements Service {
  readonly name: string
  readonly #options: TellingOptions
  readonly #wake: Wake<'news'>
  readonly #details = new Map<string, readonly string[]>()

  constructor(options: TellingOptions) {
    this.#options = options
    this.name = `tell ${options.tree}`
    this.#wake = new Wake(options.clock)
  }

  /** Something of it changed. */
  changed(): void {
    this.#wake.poke('news')
  }

  async run(signal: AbortSignal): Promise<void> {
    await together([async (either) => await this.#listen(either), async (either) => await this.#work(either)], signal)
  }

  async #listen(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#options.catalog.looks(signal)) this.changed()
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#tell({ signal })
      await this.#wake.wait({ ms: IDLE_MS, signal })
      await sleepQuietly(this.#options.clock, SETTLE_MS, signal)
    }
  }

  async #tell(op: Op): Promise<void> {
    const { tree, node, role, catalog, keystore, proposal, outcomes, tell, clock } = this.#options
    const look = catalog.look()
    const kept = await catalog.kept()
    const differences = look === undefined ? [] : await this.#differences(look, op)
    const { mark, problem } = await keystore.look(op)
    const found = [...(problem === undefined ? [] : [problem]), ...(look?.tree.catalog.problems ?? [])]
    const told: NodeCatalog = {
      atMs: clock.nowMs(),
      role,
      release: look?.release ?? 0,
      counts: countsOf(look?.differences ?? []),
      differences: within(differences),
      kept: kept.length,
      ...(mark !== undefined && { keystore: mark }),
      problems: found.slice(0, CATALOG_LIMITS.problems),
      proposal: proposal(),
      orders: outcomes(),
    }
    tell(keys.catalog(node, tree), told)
    const list = kept.slice(0, CATALOG_LIMITS.kept)
    const versions: NodeKept = { atMs: clock.nowMs(), kept: within(list) }
    tell(keys.kept(node, tree), versions)
  }

  async #differences(look: CatalogLook, op: Op): Promise<readonly CatalogDifference[]> {
    const sorted = look.differences.toSorted((a, b) => ORDER.indexOf(a.decision.do) - ORDER.indexOf(b.decision.do))
    const listed = sorted.slice(0, CATALOG_LIMITS.differences)
    const wanted = new Set<string>()
    const told: CatalogDifference[] = []
    for (const [index, difference] of listed.entries()) {
      const { key, path, decision, local, desired } = difference
      const details = index < DETAILED_MAX ? await this.#detailsOf(difference, look, wanted, op) : []
      told.push({
        key,
        path,
        decision: decision.do,
        ...(local !== undefined && { local: local.sha256 }),
        ...(desired !== undefined && { desired: desired.sha256 }),
        ...(details.length > 0 && { details }),
      })
    }
    for (const known of this.#details.keys()) if (!wanted.has(known)) this.#details.delete(known)
    return told
  }

  /** Of one that both have. What cannot be read just now is told without. */
  async #detailsOf(
    { local, desired }: Difference,
    { tree }: CatalogLook,
    wanted: Set<string>,
    op: Op,
  ): Promise<readonly string[]> {
    if (local === undefined || desired === undefined) return []
    const versions = `${desired.sha256} ${local.sha256}`
    wanted.add(versions)
    const known = this.#details.get(versions)
    if (known !== undefined) return known
    try {
      const [before, after] = [await this.#options.read(desired.sha256, op), await tree.read(local.path, op)]
      const change = changeOf({ entry: desired, bytes: before }, { entry: local, bytes: after })
      const details = (change?.details ?? [])
        .slice(0, CATALOG_LIMITS.details)
        .map((line) => line.slice(0, DETAIL_CHARS))
      this.#details.set(versions, details)
      return details
    } catch (error) {
      if (!isError(error)) throw error
      return []
    }
  }
}

function countsOf(differences: readonly Difference[]): NodeCatalog['counts'] {
  const counts = { apply: 0, propose: 0, report: 0, conflict: 0 }
  for (const { decision } of differences) counts[decision.do] += 1
  return counts
}

/** As many as one value of the store holds. */
function within<T>(list: readonly T[]): readonly T[] {
  let chars = 0
  const end = list.findIndex((each) => (chars += JSON.stringify(each).length) > VALUE_CHARS)
  return end === -1 ? list : list.slice(0, end)
}
