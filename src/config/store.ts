import { z } from 'zod'
import { isError } from '../core/errors.ts'
import { stores } from '../store/registry.ts'

const TAKES =
  'takes sqlite, or the address of an etcd such as etcd://10.0.0.1:2379,10.0.0.2:2379/flotilla (etcds:// with TLS)'

/** Where a hub keeps its state. */
export const store = z
  .string({ error: TAKES })
  .refine((text) => text === 'sqlite' || isAddress(text), { error: TAKES })
  .default('sqlite')
  .describe('where the state is: sqlite, a file in `data`, or etcd://HOST:PORT,…/PREFIX, which several hubs can share')

export const etcd = stores.etcd.schema.optional()

/** Whether several hubs may serve what is kept there; the address may still be none that can be. */
export function isSharedStore(address: string): boolean {
  return stores.etcd.schemes.some((scheme) => address.startsWith(`${scheme}//`))
}

function isAddress(text: string): boolean {
  try {
    stores.etcd.checkAddress(text)
    return true
  } catch (error) {
    if (isError(error)) return false
    throw error
  }
}

/** What whoever shares a store has to know besides; undefined where there is nothing. */
export function noteOnBlobs(config: {
  readonly store: string
  readonly blobs?: string | undefined
}): string | undefined {
  if (!isSharedStore(config.store) || config.blobs !== undefined) return undefined
  return 'the store can be shared by several hubs, but the blobs are in the data folder of this one: before a second hub, set `blobs` to a folder that all of them see'
}
