import { lstat, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import { messageOf } from '../../../core/errors.ts'
import type { Logger } from '../../../core/log.ts'
import type { Service } from '../../../core/service.ts'
import { sleepQuietly } from '../../../lib/waiting.ts'

interface Options {
  readonly bigParentDirectory: string
  readonly retentionDays: number
  readonly clock: Clock
  readonly log: Logger
}

const EVERY_MS = 3_600_000
const DAY_MS = 86_400_000

/**
 * What ERDDAP puts aside and never writes again: the log at each of its starts, and the mails of a day. Never log.txt and
 * logPrevious.txt, whatever their age. (String2.setupLog, EDStatic.email)
 */
const PUT_ASIDE = /^(?:logPreviousArchivedAt|logArchivedAt|emailLog)[\w.:-]{0,100}$/

/** Removes old logs of an ERDDAP once an hour, and nothing else anywhere. */
export function keepLogs(options: Options): Service {
  return {
    name: 'old logs',
    run: async (signal) => {
      do await removeOldLogs(options)
      while (await sleepQuietly(options.clock, EVERY_MS, signal))
    },
  }
}

/** Names of what was removed. Files directly in the logs folder only: links and folders stay. */
export async function removeOldLogs({
  bigParentDirectory,
  retentionDays,
  clock,
  log,
}: Options): Promise<readonly string[]> {
  const folder = join(bigParentDirectory, 'logs')
  const before = clock.nowMs() - retentionDays * DAY_MS
  const removed: string[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    if (!PUT_ASIDE.test(name)) continue
    const path = join(folder, name)
    const found = await lstat(path).catch(() => undefined)
    if (found?.isFile() !== true || found.mtimeMs >= before) continue
    try {
      await unlink(path)
      removed.push(name)
    } catch (error) {
      log.warn('an old log of ERDDAP cannot be removed', { path, error: messageOf(error) })
    }
  }
  if (removed.length > 0) log.info('old logs of ERDDAP were removed', { folder, files: removed.length })
  return removed
}
