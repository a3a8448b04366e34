import type { Store } from '../core/store.ts'
import { parseEtcdAddress } from './etcd/address.ts'
import { etcdConfigSchema } from './etcd/config.ts'
import type { EtcdStoreOptions } from './etcd/etcd-store.ts'

/**
 * Every store that several hubs can share, by the scheme of its address: the shape of its options, a look at an address
 * (throws `CONFIG_INVALID`), and how it is opened. All but the shape is loaded when it is used.
 */
export const stores = {
  etcd: {
    schema: etcdConfigSchema,
    schemes: ['etcd:', 'etcds:'] as readonly string[],
    checkAddress: (url: string): void => void parseEtcdAddress(url),
    open: async (options: EtcdStoreOptions): Promise<Store> =>
      (await import('./etcd/etcd-store.ts')).openEtcdStore(options),
  },
} as const
