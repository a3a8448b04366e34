import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'

/** Entry of the thread of `LedgerCheckpoints`: each message asks for one, and is answered when it is over; the last, undefined, ends it. */

const database = new DatabaseSync(String(workerData))

parentPort?.on('message', (number: number | undefined) => {
  if (number === undefined) {
    database.close()
    parentPort?.close()
    return
  }
  try {
    database.exec('PRAGMA wal_checkpoint(PASSIVE)')
  } catch {
    // Whoever writes comes upon it too, and can tell people.
  }
  parentPort?.postMessage(number, [])
})
