import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { HubConfig } from '../config/hub.ts'
import type { Clock } from '../core/clock.ts'
import { silent } from '../core/log.ts'
import { looksSound } from '../store/sqlite/sound.ts'
import type { SharedStore } from '../store/registry.ts'
import { openShared, STORE_FILE } from './store.ts'

export type StoreLook = Awaited<ReturnType<SharedStore['look']>>

/** What a hub keeps in its folder, seen from beside it. */
export interface FileLook {
  readonly path: string
  readonly bytes: number
  /** Of what is not in the file itself yet. */
  readonly walBytes: number
  /** `running` where a hub holds it: then the hub itself has looked when it started. */
  readonly state: 'sound' | 'running' | 'damaged'
  readonly problem?: string
}

/** Undefined where no store is in the folder. */
export async function lookAtFile(data: string): Promise<FileLook | undefined> {
  const path = join(data, STORE_FILE)
  if (!existsSync(path)) return undefined
  const { size: bytes } = await stat(path)
  const wal = await stat(`${path}-wal`).catch(() => undefined)
  return { path, bytes, walBytes: wal?.size ?? 0, ...looksSound(path) }
}

/** Runs `use` with a store that hubs share, and closes it; nothing is compacted meanwhile. */
export async function withSharedStore<T>(
  address: string,
  { etcd, clock, base }: { readonly etcd: HubConfig['etcd']; readonly clock: Clock; readonly base: string },
  use: (store: SharedStore) => Promise<T>,
): Promise<T> {
  const store = await openShared(address, etcd, { clock, log: silent, base, keepRevisions: 0 })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}
