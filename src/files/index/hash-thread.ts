import { readlinkSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { messageOf } from '../../core/errors.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { hashFile } from './hash-file.ts'
import type { HashAnswer, HashJob } from './hasher.ts'
import { keepCompiled } from '../../lib/keep-compiled.ts'

/** Entry of the thread that hashes: takes a `HashJob`, answers with `HashAnswer`s. */

/** Linux gives each thread a priority of its own, by the number that it has among the processes. Facts: setpriority(2), NOTES. */
function stepBack(): void {
  try {
    const thread = /\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0]
    if (thread !== undefined) setPriority(Number(thread), constants.priority.PRIORITY_LOW)
  } catch {
    // Elsewhere it runs like all others.
  }
}

function answer(message: HashAnswer): void {
  parentPort?.postMessage(message, [])
}

async function run({ path, bytesPerSecond, ...job }: HashJob): Promise<void> {
  const startedMs = systemClock.monotonicMs()
  let bytes = 0
  const pace = async (more: number): Promise<void> => {
    bytes += more
    const aheadMs = (bytes / bytesPerSecond) * 1000 - (systemClock.monotonicMs() - startedMs)
    if (aheadMs >= 1) await systemClock.sleep(aheadMs)
  }
  try {
    answer({ ended: await hashFile(path, { ...job, pace, onPart: (part, hashes) => answer({ part, hashes }) }) })
  } catch (error) {
    answer({ failed: messageOf(error) })
  }
}

stepBack()
parentPort?.on('message', (job: HashJob) => void run(job))

keepCompiled()
