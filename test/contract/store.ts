import { describe } from 'vitest'
import { commitTests } from './store/commits.ts'
import { leaseTests } from './store/leases.ts'
import { lifecycleTests, restartTests } from './store/lifecycle.ts'
import type { OpenStore } from './store/under-test.ts'
import { valueTests } from './store/values.ts'
import { compactionTests, watchTests } from './store/watches.ts'

export interface StoreContractOptions {
  /** Whether data outlives the process: `open` then offers `reopen`. */
  readonly restarts: boolean
}

/** What src/core/store.ts promises, run on one implementation. */
export function storeContract(name: string, open: OpenStore, options: StoreContractOptions): void {
  describe(`${name} keeps the store's contract`, () => {
    describe('commits', () => commitTests(open))
    describe('keys and values', () => valueTests(open))
    describe('watches', () => watchTests(open))
    describe('compaction', () => compactionTests(open))
    describe('leases', () => leaseTests(open))
    describe('closing', () => lifecycleTests(open))
    if (options.restarts) describe('restart', () => restartTests(open))
  })
}
