import { describe, expect, it } from 'vitest'
import type { Commit, Entry, Listing, Store, Txn } from '../../src/core/store.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { isLinearizable } from '../helpers/linearizable.ts'
import { VirtualClock } from '../helpers/virtual-clock.ts'
import { SMALL } from './store-linearizability.ts'
import { record } from './store/history.ts'
import { byKey, oneKey, wholeStore } from './store/models.ts'
import { ROOT } from './store/under-test.ts'

/** A store that does one thing wrong. */
type Wrong = (store: Store) => Partial<Pick<Store, 'get' | 'list' | 'commit'>>

const WRONGS: Readonly<Record<string, Wrong>> = {
  'answers a get from a cache that is one write behind': (store) => {
    const cache = new Map<string, Entry | undefined>()
    return {
      get: async (key) => {
        const old = cache.get(key)
        const entry = await store.get(key)
        cache.set(key, entry)
        return cache.size > 1 && old !== undefined ? old : entry
      },
    }
  },
  'lists half of the entries, then the other half': (store) => ({
    list: async (): Promise<Listing> => {
      const first = await store.list(ROOT)
      await new Promise(setImmediate)
      const second = await store.list(ROOT)
      const middle = `${ROOT}1`
      const entries = [
        ...first.entries.filter(({ key }) => key < middle),
        ...second.entries.filter(({ key }) => key >= middle),
      ]
      return { entries, revision: second.revision }
    },
  }),
  'ignores the second expectation': (store) => ({
    commit: (txn: Txn) => store.commit({ ...txn, expect: (txn.expect ?? []).slice(0, 1) }),
  }),
  'commits again when in doubt': (store) => {
    let count = 0
    return {
      commit: async (txn: Txn): Promise<Commit> => {
        if (++count % 5 === 0) await store.commit(txn)
        return await store.commit(txn)
      },
    }
  },
  'acknowledges a commit that it then loses': (store) => {
    let count = 0
    return {
      commit: async (txn: Txn): Promise<Commit> => {
        const { revision } = await store.list(ROOT)
        return ++count % 10 === 0 ? { committed: true, revision: revision + 1 } : await store.commit(txn)
      },
    }
  },
  'writes the changes of a transaction one by one': (store) => ({
    commit: async (txn: Txn): Promise<Commit> => {
      const [first, ...rest] = txn.changes
      if (first === undefined || rest.length === 0) return await store.commit(txn)
      const answer = await store.commit({ ...txn, changes: [first] })
      return answer.committed ? await store.commit({ changes: rest }) : answer
    },
  }),
}

const SEEDS = Array.from({ length: 10 }, (_, seed) => seed + 1)

describe('the check of stores', () => {
  it.for(Object.entries(WRONGS))('refutes a store that %s', async ([, wrong]) => {
    const verdicts = []
    for (const seed of SEEDS) {
      const history = await record(broken(wrong), { ...SMALL, seed })
      verdicts.push(isLinearizable(wholeStore(0), history))
    }
    expect(verdicts).toContain(false)
  })

  it('refutes a store with stale reads also when it looks at one key at a time', async () => {
    const stale = WRONGS['answers a get from a cache that is one write behind']!
    const verdicts = []
    for (const seed of SEEDS) {
      const history = await record(broken(stale), { ...SMALL, seed, width: 1, lists: false })
      verdicts.push(...byKey(history).map((part) => isLinearizable(oneKey, part)))
    }
    expect(verdicts).toContain(false)
  })
})

function broken(wrong: Wrong): Store {
  const store = new MemoryStore({ clock: new VirtualClock() })
  return Object.assign(Object.create(store) as Store, {
    get: (key: string) => store.get(key),
    list: (prefix: string) => store.list(prefix),
    commit: (txn: Txn) => store.commit(txn),
    ...wrong(store),
  })
}
