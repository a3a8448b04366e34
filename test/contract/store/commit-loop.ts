/**
 * A program for tests: `commit-loop.ts FILE WRITERS TIMES`. Every writer counts up its own key in the store in FILE, by
 * compare-and-set, and prints a line for each outcome after it is told of it.
 */
import { isError, messageOf } from '../../../src/core/errors.ts'
import { systemClock } from '../../../src/lib/system-clock.ts'
import { openSqliteStore } from '../../../src/store/sqlite/sqlite-store.ts'

export interface CommitOutcome {
  readonly writer: number
  readonly count: number
  /** Of the commit; absent when it failed. */
  readonly revision?: number
  readonly error?: string
}

const [path = '', writers = '1', times = '1'] = process.argv.slice(2)

async function main(): Promise<void> {
  const store = await openSqliteStore({ path, clock: systemClock, keepRevisions: 1_000_000 })
  const work = async (writer: number): Promise<void> => {
    const key = `t/${writer}`
    for (let turn = 0; turn < Number(times); turn++) {
      const before = await store.get(key).catch(() => undefined)
      const count = Number(before?.value ?? 0) + 1
      try {
        const answer = await store.commit({
          expect: [{ key, revision: before?.revision ?? 0 }],
          changes: [
            { op: 'put', key, value: String(count) },
            { op: 'put', key: `t/last`, value: String(writer) },
          ],
        })
        tell({ writer, count, ...(answer.committed ? { revision: answer.revision } : { error: 'lost race' }) })
      } catch (error) {
        tell({ writer, count, error: isError(error) ? error.code : messageOf(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => work(writer)))
  await store.close()
}

function tell(outcome: CommitOutcome): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`)
}

await main()
