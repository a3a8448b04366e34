import { setImmediate as turn } from 'node:timers/promises'
import { isError } from '../../../src/core/errors.ts'
import type { Commit, Entry, Listing, Store, Txn } from '../../../src/core/store.ts'
import type { Operation } from '../../helpers/linearizable.ts'
import { seeded } from '../../helpers/random.ts'
import { del, put, ROOT } from './under-test.ts'

export type StoreInput =
  | { readonly ask: 'get'; readonly key: string }
  | { readonly ask: 'list' }
  | { readonly ask: 'commit'; readonly txn: Txn }

export type StoreOutput =
  | { readonly entry: Entry | undefined }
  | { readonly listing: Listing }
  | { readonly commit: Commit }

export type StoreHistory = readonly Operation<StoreInput, StoreOutput>[]

export interface Shape {
  readonly seed: number
  readonly clients: number
  readonly turns: number
  readonly keys: number
  /** Keys a transaction expects and changes at most. */
  readonly width: number
  /** Whether some operations read the whole store. */
  readonly lists: boolean
}

/** Lets clients loose on the store, all at once, and records what they asked, what they were told, and when. */
export async function record(store: Store, shape: Shape): Promise<StoreHistory> {
  const history: Operation<StoreInput, StoreOutput>[] = []
  let moment = 0
  const ask = async (input: StoreInput): Promise<StoreOutput | undefined> => {
    const called = moment++
    const output = await answered(store, input)
    history.push({ input, output, called, returned: moment++ })
    return output
  }
  await Promise.all(
    Array.from({ length: shape.clients }, (_, client) =>
      behave(ask, shape, seeded(shape.seed * 1000 + client), client),
    ),
  )
  return history
}

type Ask = (input: StoreInput) => Promise<StoreOutput | undefined>

async function behave(ask: Ask, shape: Shape, random: () => number, client: number): Promise<void> {
  /** What this client believes, right or wrong: by that it expects. */
  const known = new Map<string, number>()
  const pick = (count: number): number => Math.floor(random() * count)
  for (let at = 0; at < shape.turns; at++) {
    for (let wait = pick(3); wait > 0; wait--) await turn()
    const roll = random()
    if (roll < 0.3) {
      const key = `${ROOT}${pick(shape.keys)}`
      const output = await ask({ ask: 'get', key })
      if (output !== undefined && 'entry' in output) known.set(key, output.entry?.revision ?? 0)
    } else if (roll < 0.45 && shape.lists) {
      await ask({ ask: 'list' })
    } else {
      const txn = draw(shape, known, random, `${client}.${at}`)
      const output = await ask({ ask: 'commit', txn })
      if (output !== undefined && 'commit' in output) learn(known, txn, output.commit)
    }
  }
}

/** A transaction on some keys; some of them are expected to be as they were last seen. */
function draw(shape: Shape, known: ReadonlyMap<string, number>, random: () => number, value: string): Txn {
  const count = 1 + Math.floor(random() * shape.width)
  const first = Math.floor(random() * shape.keys)
  const keys = Array.from({ length: Math.min(count, shape.keys) }, (_, at) => `${ROOT}${(first + at) % shape.keys}`)
  const expected = random() < 0.5 ? keys : keys.slice(1)
  return {
    expect: expected.map((key) => ({ key, revision: known.get(key) ?? 0 })),
    changes: keys.map((key) => (random() < 0.2 ? del(key) : put(key, value))),
  }
}

function learn(known: Map<string, number>, txn: Txn, commit: Commit): void {
  if (!commit.committed) known.set(commit.key, commit.actual)
  else for (const change of txn.changes) known.set(change.key, change.op === 'put' ? commit.revision : 0)
}

/** Undefined when the answer was lost on the way. */
async function answered(store: Store, input: StoreInput): Promise<StoreOutput | undefined> {
  try {
    if (input.ask === 'get') return { entry: await store.get(input.key) }
    if (input.ask === 'list') return { listing: await store.list(ROOT) }
    return { commit: await store.commit(input.txn) }
  } catch (error) {
    if (isError(error, 'UNREACHABLE')) return undefined
    throw error
  }
}
