import { silent } from '../../src/core/log.ts'
import { openLedger } from '../../src/outbox/ledger.ts'
import { systemClock } from '../../src/lib/system-clock.ts'

/*
 * Gives versions and records operations in the ledger at the path that is given, many at the same time. Writes each version before
 * it is recorded, and each operation that was acknowledged.
 */

const [path = ''] = process.argv.slice(2)
const ledger = await openLedger({ path, clock: systemClock, log: silent })

function say(what: string): void {
  process.stdout.write(`${what}\n`)
}

async function record(key: string, isGone: boolean): Promise<void> {
  const version = ledger.next()
  const text = `${version.epoch} ${version.sequence} ${key} ${isGone ? 'gone' : 'put'}`
  say(`given ${text}`)
  await ledger.record(
    isGone ? { key, version, gone: true } : { key, version, size: version.sequence, modifiedMs: 1, etag: 'e' },
  )
  say(`recorded ${text}`)
}

for (let round = 0; round < 6; round++) {
  await Promise.all(Array.from({ length: 40 }, async (_, index) => record(`key-${index}`, (index + round) % 7 === 0)))
  ledger.keep('http://child', { id: 'c', cursor: ledger.position })
  if (round === 3) await ledger.forget(Date.now() + 1, ledger.position - 3)
}
say('closing')
await ledger.close()
say('closed')
