import { isDeepStrictEqual } from 'node:util'
import type { Commit, Entry, Expectation, Listing, Txn, Write } from '../../../src/core/store.ts'
import type { Model } from '../../helpers/linearizable.ts'
import type { StoreHistory, StoreInput, StoreOutput } from './history.ts'

interface WholeState {
  readonly revision: number
  readonly entries: ReadonlyMap<string, Entry>
}

/** The store as its contract describes it, starting empty at revision `base`. */
export function wholeStore(base: number): Model<WholeState, StoreInput, StoreOutput> {
  return {
    start: { revision: base, entries: new Map() },
    step: (state, input, output) => {
      const [answer, next] = answered(state, input)
      return agrees(output, answer) ? next : undefined
    },
    nameOf: ({ revision, entries }) =>
      `${revision} ${[...entries.values()]
        .map(({ key, revision }) => `${key}@${revision}`)
        .toSorted()
        .join()}`,
  }
}

function answered(state: WholeState, input: StoreInput): readonly [StoreOutput, WholeState] {
  if (input.ask === 'get') return [{ entry: state.entries.get(input.key) }, state]
  if (input.ask === 'list') return [{ listing: listingOf(state) }, state]
  const [commit, next] = applied(state, input.txn)
  return [{ commit }, next]
}

function applied(state: WholeState, txn: Txn): readonly [Commit, WholeState] {
  for (const { key, revision } of txn.expect ?? []) {
    const actual = state.entries.get(key)?.revision ?? 0
    if (actual !== revision) return [{ committed: false, key, actual }, state]
  }
  const revision = state.revision + 1
  const entries = new Map(state.entries)
  for (const change of txn.changes) {
    entries.delete(change.key)
    if (change.op === 'put') entries.set(change.key, { key: change.key, value: change.value, revision })
  }
  return [
    { committed: true, revision },
    { revision, entries },
  ]
}

function listingOf({ revision, entries }: WholeState): Listing {
  return { revision, entries: [...entries.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1)) }
}

/** A lost answer agrees with anything. */
function agrees(output: StoreOutput | undefined, possible: StoreOutput): boolean {
  return output === undefined || isDeepStrictEqual(output, possible)
}

/** One key by itself: what happens to other keys shows only in that revisions are skipped. */
interface KeyState {
  readonly entry: Entry | undefined
  /** Of the last commit that touched the key. */
  readonly touched: number
}

export const oneKey: Model<KeyState, StoreInput, StoreOutput> = {
  start: { entry: undefined, touched: 0 },
  step: (state, input, output) => {
    if (input.ask === 'get') return agrees(output, { entry: state.entry }) ? state : undefined
    const [change] = input.ask === 'commit' ? input.txn.changes : []
    if (change === undefined || input.ask !== 'commit' || output === undefined || !('commit' in output)) {
      throw new Error('the history of one key holds gets and answered commits of that key')
    }
    const lost = lostRace(state, input.txn.expect ?? [])
    if (!output.commit.committed) return lost !== undefined && agrees(output, { commit: lost }) ? state : undefined
    if (lost !== undefined || output.commit.revision <= state.touched) return undefined
    return after(change, output.commit.revision)
  },
  nameOf: ({ touched }) => String(touched),
}

function lostRace({ entry }: KeyState, expect: readonly Expectation[]): Commit | undefined {
  const actual = entry?.revision ?? 0
  const differing = expect.find(({ revision }) => revision !== actual)
  return differing === undefined ? undefined : { committed: false, key: differing.key, actual }
}

function after(change: Write, revision: number): KeyState {
  if (change.op === 'delete') return { entry: undefined, touched: revision }
  return { entry: { key: change.key, value: change.value, revision }, touched: revision }
}

/** Histories that can be checked one by one, of operations on one key each: an object is as good as its parts. */
export function byKey(history: StoreHistory): readonly StoreHistory[] {
  const parts = Map.groupBy(history, ({ input }) => {
    if (input.ask === 'list') throw new Error('a list concerns all keys')
    return input.ask === 'get' ? input.key : input.txn.changes[0]?.key
  })
  return [...parts.values()]
}
