import { watch } from 'node:fs/promises'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import { sleepQuietly } from '../lib/waiting.ts'

export interface FolderWatchOptions {
  /** For people. */
  readonly of: string
  /** Asked each time that it begins: it may be another by then. */
  readonly folder: () => string
  readonly changed: () => void
  readonly clock: Clock
  readonly log: Logger
}

const AGAIN_MS = 30_000

/**
 * Tells of changes in a folder and those below it; each time that it begins as well, since nobody looked before. Where it cannot be watched, what
 * changes there is found when everything is looked at, and it is tried again.
 */
export function folderWatch({ of, folder, changed, clock, log }: FolderWatchOptions): Service {
  return {
    name: `watch ${of}`,
    async run(signal) {
      while (!signal.aborted) {
        try {
          const changes = watch(folder(), { signal, recursive: true })
          changed()
          for await (const _ of changes) changed()
        } catch (error) {
          if (signal.aborted) return
          log.debug('a folder of templates cannot be watched', { folder: of, error: messageOf(error) })
        }
        await sleepQuietly(clock, AGAIN_MS, signal)
      }
    },
  }
}
