import { posix } from 'node:path'
import { readFile } from 'node:fs/promises'
import { isError } from '../core/errors.ts'
import { keyPath } from '../lib/safe-path.ts'
import { entryOf } from './entries.ts'
import type { RoundView } from './options.ts'
import type { Workshop } from './workshop.ts'

const BYTES_MAX = 1024 * 1024

/** What a selection may be made from. */
export function viewOf({ options, root, state, parts }: Workshop, signal: AbortSignal): RoundView {
  return {
    nowMs: options.clock.nowMs(),
    signal,
    remembered: (name) => state.fact(name),
    read: async (key) => {
      const here = await readFile(posix.join(root, keyPath(key)), 'utf8').catch(() => undefined)
      if (here !== undefined) return here
      for (const { source } of parts.lanes.listers()) {
        try {
          const entry = await entryOf(source, key, signal)
          if (entry === undefined || entry.size > BYTES_MAX) continue
          const chunks: Uint8Array[] = []
          for await (const chunk of await source.open(entry, { signal })) chunks.push(chunk)
          return Buffer.concat(chunks).toString('utf8')
        } catch (error) {
          // That a source is down is for the listing to say.
          if (!isError(error)) throw error
        }
      }
      return undefined
    },
  }
}
