import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { silent } from '../../../src/core/log.ts'
import { openLedger } from '../../../src/outbox/ledger.ts'
import { LedgerDisk, MemoryLedger } from '../../helpers/ledger.ts'
import { VirtualClock } from '../../helpers/virtual-clock.ts'
import { ledgerContract, type LedgerUnderTest } from './ledger.ts'

const folder = mkdtempSync(join(tmpdir(), 'flotilla-test-'))
const opened = new Set<() => Promise<void>>()
let ledgers = 0

afterAll(async () => {
  for (const close of opened) await close()
  rmSync(folder, { recursive: true })
})

async function openAt(path: string, clock: VirtualClock): Promise<LedgerUnderTest> {
  const ledger = await openLedger({ path, clock, log: silent })
  const close = async (): Promise<void> => ledger.close()
  opened.add(close)
  const reopen = async (how: 'closed' | 'killed'): Promise<LedgerUnderTest> => {
    if (how === 'killed') {
      // What a process that is killed leaves behind is what it has given to the system.
      const copy = join(folder, `${++ledgers}.sqlite`)
      for (const suffix of ['', '-wal'])
        if (existsSync(`${path}${suffix}`)) copyFileSync(`${path}${suffix}`, `${copy}${suffix}`)
      return openAt(copy, clock)
    }
    await ledger.close()
    return openAt(path, clock)
  }
  return { ledger, clock, reopen }
}

ledgerContract('a ledger in SQLite', async () => openAt(join(folder, `${++ledgers}.sqlite`), new VirtualClock()))

function openIn(clock: VirtualClock, disk?: LedgerDisk): LedgerUnderTest {
  const kept = disk ?? new LedgerDisk(`memory-${++ledgers}`, Math.floor(clock.nowMs() / 1000))
  return { ledger: new MemoryLedger(clock, kept), clock, reopen: async () => openIn(clock, kept) }
}

ledgerContract('a ledger in memory', async () => openIn(new VirtualClock()))
