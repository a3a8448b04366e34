import type { Entry } from './commands.ts'

/** The part of the table that is about where the state is kept. */
export const STORE_COMMANDS: readonly Entry[] = [
  {
    name: 'store copy',
    group: 'Start',
    summary: 'move the state of a hub from its file to an etcd, or back',
    load: async () => (await import('./commands/store-copy.ts')).storeCopy,
  },
  {
    name: 'store backup',
    group: 'Access',
    summary: 'write all that the store holds to one file, while the hub runs',
    load: async () => (await import('./commands/store-backup.ts')).storeBackup,
  },
  {
    name: 'store restore',
    group: 'Access',
    summary: 'fill a store from a backup',
    load: async () => (await import('./commands/store-restore.ts')).storeRestore,
  },
]
