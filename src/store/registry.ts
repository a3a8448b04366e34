import type { Store } from '../core/store.ts'
import { parseEtcdAddress } from './etcd/address.ts'
import { etcdConfigSchema } from './etcd/config.ts'
import type { EtcdLook } from './etcd/etcd-look.ts'
import type { EtcdStoreOptions } from './etcd/etcd-store.ts'

/** A store with what only an operator does to it. */
export interface SharedStore extends Store {
  /** Lets go of all revisions but the newest that are to be kept, now. */
  compact(): Promise<void>
  /** How its servers fare; one that does not answer says so. */
  look(): Promise<EtcdLook>
}

/**
 * Every store that several hubs can share, by the scheme of its address: the shape of its options, a look at an address
 * (throws `CONFIG_INVALID`), and how it is opened. All but the shape is loaded when it is used.
 */
export const stores = {
  etcd: {
    schema: etcdConfigSchema,
    schemes: ['etcd:', 'etcds:'] as readonly string[],
    checkAddress: (url: string): void => void parseEtcdAddress(url),
    open: async (options: EtcdStoreOptions): Promise<SharedStore> =>
      (await import('./etcd/etcd-store.ts')).openEtcdStore(options),
  },
} as const
