import { randomUUID } from 'node:crypto'
import type { Logger } from '../../../src/core/log.ts'
import type { Store } from '../../../src/core/store.ts'
import { systemClock } from '../../../src/lib/system-clock.ts'
import { type EtcdStore, openEtcdStore } from '../../../src/store/etcd/etcd-store.ts'
import type { EtcdCluster } from '../../helpers/etcd.ts'
import { hubShowing } from './hub-showing.ts'
import { del, type OpenStore, type StoreSettings } from './under-test.ts'

const QUIET: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
/** Etcd gives no lease less than two seconds, and looks twice a second which have ended. */
const LATE_MS = 2500

export interface EtcdUnderTest {
  readonly store: EtcdStore
  reopen(): Promise<EtcdStore>
  /** Leaves nothing behind that could make a revision later. */
  close(): Promise<void>
}

/** A store below a prefix of its own in an etcd that tests use in turn. */
async function etcdUnderTest(etcd: EtcdCluster | undefined, settings: StoreSettings = {}): Promise<EtcdUnderTest> {
  const url = `${etcd?.url}/${randomUUID()}`
  const opened: EtcdStore[] = []
  const reopen = async (): Promise<EtcdStore> => {
    const store = await openEtcdStore({ url, clock: systemClock, log: QUIET, ...settings })
    opened.push(store)
    return store
  }
  const store = await reopen()
  // What another test compacted must lie further back than this one looks.
  if (settings.keepRevisions !== undefined) for (let at = 0; at < 20; at++) await store.commit({ changes: [] })
  return {
    store,
    reopen,
    close: async () => {
      for (const each of opened) await each.close()
      const last = await openEtcdStore({ url, clock: systemClock, log: QUIET })
      const { entries } = await last.list('')
      for (let at = 0; at < entries.length; at += 500) {
        await last.commit({ changes: entries.slice(at, at + 500).map(({ key }) => del(key)) })
      }
      await last.close()
    },
  }
}

export function etcdOpener(etcd: () => EtcdCluster | undefined): OpenStore {
  return async (settings) => {
    const under = await etcdUnderTest(etcd(), settings)
    let current: Store & Pick<EtcdStore, 'compact'> = under.store
    return {
      store: under.store,
      lateMs: LATE_MS,
      compact: () => current.compact(),
      reopen: async () => (current = await under.reopen()),
      close: () => under.close(),
    }
  }
}

/** A hub on etcd, and the store as its API shows it; a restart is a new hub on the same etcd. */
export function hubOnEtcdOpener(etcd: () => EtcdCluster | undefined): OpenStore {
  return async (settings) => {
    const under = await etcdUnderTest(etcd(), settings)
    let inner = under.store
    const shown = await hubShowing(async () => inner)
    return {
      store: shown.store,
      lateMs: LATE_MS,
      compact: () => inner.compact(),
      reopen: async () => {
        await shown.stop()
        inner = await under.reopen()
        return shown.start()
      },
      close: async () => {
        await shown.stop()
        await under.close()
      },
    }
  }
}
