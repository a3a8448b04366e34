import type { Bus } from '../core/bus.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Service } from '../core/service.ts'
import type { Batch, Store } from '../core/store.ts'

export interface TellOptions {
  readonly store: Store
  readonly bus: Bus
}

/**
 * What nodes act on. Families and nothing longer: a key may hold what is nobody's business on a broker, such as an address
 * that is blocked. What nodes report is not among them: nobody waits for it, and it would be most of the traffic.
 */
const TOLD = [keys.desiredOfAll, 'request/', keys.listsOfAll, keys.drains, keys.rollouts] as const

/**
 * Tells the bus of every commit, whoever made it, that changed something nodes act on. Each hub tells: a hint that comes twice is
 * harmless. When it starts, or starts again after its watch broke, one hint for each family stands for all that was missed.
 */
export function tellChanges({ store, bus }: TellOptions): Service {
  return {
    name: 'hints',
    async run(signal) {
      const { revision } = await store.list(keys.desiredOfAll, { signal })
      if (revision > 0) for (const prefix of TOLD) await bus.publish({ prefix, revision })
      for await (const batch of store.watch('', { after: revision, signal })) {
        for (const prefix of changedIn(batch)) await bus.publish({ prefix, revision: batch.revision })
      }
      if (!signal.aborted) throw new FlotillaError('UNREACHABLE', 'the watch of the store ended by itself')
    },
  }
}

function changedIn({ changes }: Batch): readonly string[] {
  const changed = changes.map((change) => (change.op === 'put' ? change.entry.key : change.key))
  return TOLD.filter((prefix) => changed.some((key) => key.startsWith(prefix)))
}
