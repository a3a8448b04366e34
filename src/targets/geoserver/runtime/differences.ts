import { decide, type Decision, type Policy, type Role } from '../../../core/catalog/three-way.ts'
import { glob } from '../../../core/sync/glob.ts'
import { sha256 } from '../../../lib/hash.ts'
import type { CatalogEntry } from '../definition/model.ts'
import type { Difference } from '../local.ts'
import type { NodeState, Tried } from './node-state.ts'
import { baseOf } from './offered.ts'

/** Which policy is for what path. */
export type PolicyOf = (path: string) => Policy

export interface PolicyOptions {
  readonly role: Role
  /** The first that means a path counts. */
  readonly foreign: readonly { readonly path: string; readonly policy: Policy }[]
}

/** A replica takes back what was not released; what is made on the others is for releases. */
export function policies({ role, foreign }: PolicyOptions): PolicyOf {
  const rules = foreign.map(({ path, policy }) => ({ pattern: glob(path), policy }))
  const usual: Policy = role === 'replica' ? 'revert' : 'adopt'
  return (path) => rules.find(({ pattern }) => pattern.matches(path))?.policy ?? usual
}

type Entries = ReadonlyMap<string, CatalogEntry>

/** Everything on which node and release do not agree, sorted by key. Pure. */
export function differencesOf(local: Entries, desired: Entries, state: NodeState, policyOf: PolicyOf): Difference[] {
  const keys = new Set([...local.keys(), ...desired.keys()])
  const differences: Difference[] = []
  for (const key of keys) {
    const [here, wanted] = [local.get(key), desired.get(key)]
    const path = (here ?? wanted)?.path ?? ''
    const base = baseOf(key, wanted?.digest, state)
    if (here?.digest === wanted?.digest) {
      if (here === undefined || wanted === undefined || !isPasswordNew(here, wanted, state)) continue
      differences.push({ key, path, decision: { do: 'apply', keep: false }, local: here, desired: wanted, base })
      continue
    }
    const decision = decisionOf(key, { here: here?.digest, wanted: wanted?.digest }, state, policyOf(path))
    if (decision.do !== 'same') differences.push({ key, path, decision, local: here, desired: wanted, base })
  }
  return differences.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}

/**
 * Whether a release brings another password: one that it did not have when it was last brought here. What GeoServer writes here has
 * another salt each time, and says nothing.
 */
function isPasswordNew(here: CatalogEntry, wanted: CatalogEntry, { ciphers }: NodeState): boolean {
  const before = ciphers.get(wanted.key)
  return before !== undefined && before !== cipherOf(wanted) && cipherOf(here) !== cipherOf(wanted)
}

/** Names the encrypted values of an entry; '' for none. */
export function cipherOf({ encrypted }: CatalogEntry): string {
  return encrypted.length === 0 ? '' : sha256(encrypted.join('\n'))
}

interface Digests {
  readonly here: string | undefined
  readonly wanted: string | undefined
}

function decisionOf(key: string, { here, wanted }: Digests, state: NodeState, policy: Policy): Decision {
  const verdict = state.verdicts.get(key)
  if (verdict !== undefined && verdict.local === (here ?? '') && verdict.desired === (wanted ?? '')) {
    return verdict.verdict === 'adopt' ? { do: 'propose' } : { do: 'apply', keep: here !== undefined }
  }
  const tried = state.tried.get(key)
  if (tried !== undefined) return afterTry(tried, { here, wanted }, policy)
  if (state.found.has(key) && wanted === undefined) return { do: 'report' }
  return decide({ base: baseOf(key, wanted, state), local: here, desired: wanted }, policy)
}

/** What our own work left there is no change of anybody. */
function afterTry(tried: Tried, { here, wanted }: Digests, policy: Policy): Decision {
  const isOurs = [tried.before, tried.desired, tried.left].includes(here ?? '')
  if (isOurs) return decide({ base: here, local: here, desired: wanted }, policy)
  // Nobody has looked since: what it is now may be ours, or somebody's.
  if (tried.left === undefined && tried.problem === undefined) return { do: 'apply', keep: here !== undefined }
  return decide({ base: digestOf(tried.left ?? tried.before), local: here, desired: wanted }, policy)
}

/** In the state '' stands for what is not there. */
function digestOf(text: string): string | undefined {
  return text === '' ? undefined : text
}
