import { afterEach, describe, expect, it } from 'vitest'
import type { Commit, Entry, Store, Txn } from '../../src/core/store.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openTestHub, type TestHub } from '../helpers/hub.ts'
import { HttpHistory } from '../helpers/http-history.ts'
import { isLinearizable } from '../helpers/linearizable.ts'
import { seeded } from '../helpers/random.ts'
import { versioned } from '../helpers/versioned.ts'

/** The check of histories over HTTP, with a store that is right, and with stores that do one thing wrong. */
type Wrong = (store: Store) => Partial<Pick<Store, 'get' | 'commit'>>

const isShared = (key: string): boolean => key.startsWith('profile/') || key.startsWith('x/')

const WRONGS: Readonly<Record<string, Wrong>> = {
  'reads what was there a moment ago': (store) => {
    const last = new Map<string, Entry | undefined>()
    return {
      get: async (key) => {
        const now = await store.get(key)
        const before = last.get(key)
        last.set(key, now)
        return isShared(key) && before !== undefined ? before : now
      },
    }
  },
  'loses an update that it acknowledged': (store) => {
    let count = 0
    return {
      commit: async (txn: Txn): Promise<Commit> => {
        if (!txn.changes.some(({ key }) => isShared(key)) || ++count % 10 !== 0) return await store.commit(txn)
        // What was expected held, and nothing is written.
        return await store.commit({ ...txn, changes: [] })
      },
    }
  },
  'applies a commit once more, a little later': (store) => {
    let count = 0
    return {
      commit: async (txn: Txn): Promise<Commit> => {
        const answer = await store.commit(txn)
        const again = txn.changes.filter(({ key }) => isShared(key))
        if (answer.committed && again.length > 0 && ++count % 10 === 0) {
          setTimeout(() => void store.commit({ changes: again }), 5)
        }
        return answer
      },
    }
  },
}

let hub: TestHub
afterEach(() => hub.close())

/** Whether each of what the clients shared could have happened one at a time. */
async function verdicts(wrong: Wrong): Promise<readonly boolean[]> {
  const inner = new MemoryStore({ clock: systemClock })
  const store = Object.assign(Object.create(inner) as Store, {
    get: (key: string) => inner.get(key),
    list: (prefix: string) => inner.list(prefix),
    commit: (txn: Txn) => inner.commit(txn),
    watch: inner.watch.bind(inner),
    grantLease: inner.grantLease.bind(inner),
    lease: inner.lease.bind(inner),
    close: () => inner.close(),
    ...wrong(inner),
  })
  hub = await openTestHub({ store })
  const [profile, key] = ['p', 'x/k']
  const made = await hub.ask('POST', '/v1/profiles', { token: hub.admin, json: { name: profile } })
  const { revision } = JSON.parse(made.text) as { revision: number }
  const reach = { urls: [hub.url], token: hub.admin.reveal(), patienceMs: 5000 }
  const history = new HttpHistory(reach, {
    profiles: [profile],
    rawKeys: [key],
    count: 5,
    random: (client) => seeded(client + 1),
  })
  await history.more(300)
  const recorded = await history.end()
  const starts = { [profile]: { value: {}, revision }, [key]: { value: { value: null }, revision: 0 } }
  return Object.entries(starts).map(([name, start]) =>
    isLinearizable(versioned({ ...start, floor: start.revision }), recorded.get(name) ?? []),
  )
}

describe('the check of histories over HTTP', () => {
  it('passes a hub whose store is right', async () => {
    expect(await verdicts(() => ({}))).toEqual([true, true])
  })

  it.for(Object.entries(WRONGS))('refutes a hub whose store %s', async ([, wrong]) => {
    expect(await verdicts(wrong)).toContain(false)
  })
})
