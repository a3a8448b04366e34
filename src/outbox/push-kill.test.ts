import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { type CrashPoint, crashPoints, runUntil, someOf } from '../../test/helpers/crash.ts'
import { fedOperations } from '../../test/helpers/fed-operations.ts'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { needs } from '../../test/helpers/needs.ts'
import { silent } from '../core/log.ts'
import type { OpenLedger } from '../core/push/ledger.ts'
import { compareVersions, isGone, type Operation } from '../core/push/operation.ts'
import { type IndexedTree, openTreeIndex } from '../files/index/tree-index.ts'
import { sha256 } from '../lib/hash.ts'
import { systemClock } from '../lib/system-clock.ts'
import { adoption } from './adopt.ts'
import { openLedger } from './ledger.ts'

const PUSHING = join(import.meta.dirname, '../../test/helpers/pushing.ts')
const test = await needs({ tools: ['strace'] })

const folders = (): readonly [string, string] => [realpathSync(temporaryFolder()), realpathSync(temporaryFolder())]

/** A quick run takes half of the system calls, others next time. */
function chosen(points: readonly CrashPoint[]): readonly CrashPoint[] {
  const some = someOf(points, 1)
  return some.length === points.length ? points : some.filter(() => Math.random() < 0.5)
}

function acknowledged(stdout: string): readonly Operation[] {
  const lines = stdout.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Operation)
}

function textAt(root: string, path: string): string | undefined {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined
}

async function ledgerAt(state: string): Promise<OpenLedger> {
  const ledger = await openLedger({ path: join(state, 'push.sqlite'), clock: systemClock, log: silent })
  onTestFinished(async () => ledger.close())
  return ledger
}

/** Adopts what lies in the folder until there is nothing left to adopt. */
async function adopted(index: IndexedTree, ledger: OpenLedger): Promise<void> {
  const stop = new AbortController()
  const { signal } = stop
  const turns = { settled: async () => undefined }
  const options = {
    tree: 't',
    index,
    ledger,
    turns,
    isRoot: () => true,
    onRecorded: () => undefined,
    clock: systemClock,
  }
  const running = Promise.all([index.service.run(signal), adoption(options).run(signal)])
  await index.scanned({})
  const isDone = (): boolean =>
    index.page({ prefix: '', after: '', limit: 100 }).every(({ key, etag }) => {
      const row = ledger.get(key)
      return row !== undefined && !isGone(row) && row.etag === etag
    }) && ledger.leaving().length === 0
  await expect.poll(isDone, { timeout: 20_000 }).toBe(true)
  stop.abort(new Error('done'))
  await running
}

test(
  'a root that is killed at any moment keeps what it acknowledged, and adopts what was in place without a row',
  { timeout: 3_600_000 },
  async () => {
    const points = await crashPoints(PUSHING, ['root', ...folders()])
    for (const point of chosen(points)) {
      const [root, state] = folders()
      const { stdout } = await runUntil(point, PUSHING, ['root', root, state])
      const ledger = await ledgerAt(state)
      const index = await openTreeIndex({ root, stateFile: join(state, 'index.sqlite'), log: silent })
      await adopted(index, ledger)
      for (const operation of acknowledged(stdout)) {
        const row = ledger.get(operation.key)!
        expect(compareVersions(row.version, operation.version)).toBeGreaterThanOrEqual(0)
        if (!isGone(row)) expect(index.get(operation.key)?.etag).toBe(row.etag)
        if (isGone(operation)) expect(textAt(root, operation.key)).toBeUndefined()
      }
      for (const row of ledger.page({ prefix: '', after: '', limit: 100 })) {
        const text = textAt(root, row.key)
        // Of what was adopted nobody has computed a hash.
        if (text !== undefined && !isGone(row) && row.sha256 !== undefined) expect(sha256(text)).toBe(row.sha256)
      }
      await index.close()
      await ledger.close()
    }
  },
)

test(
  'a child that is killed at any moment has each file as it was or as it is told, keeps what it acknowledged, and ends the same when it is told again',
  { timeout: 3_600_000 },
  async () => {
    const operations = fedOperations()
    const contents = new Set(operations.map(({ content }) => content))
    const points = await crashPoints(PUSHING, ['child', ...folders()])
    for (const point of chosen(points)) {
      const [root, state] = folders()
      const { stdout } = await runUntil(point, PUSHING, ['child', root, state])
      const before = await ledgerAt(state)
      for (const { key, version } of acknowledged(stdout)) expect(before.compare(key, version)).toBeLessThanOrEqual(0)
      await before.close()
      for (const key of ['a', 'b/c', 'd', 'new/1', 'new/2', 'e']) {
        const text = textAt(root, key)
        expect(text === undefined || contents.has(text)).toBe(true)
      }
      const again = await runUntil({ syscall: 'write', nth: 60_000 }, PUSHING, ['child', root, state])
      expect(again.stderr).toBe('')
      expect(['a', 'b/c', 'd', 'new/1', 'new/2', 'e'].map((key) => textAt(root, key))).toEqual([
        undefined,
        'y'.repeat(1_200_000),
        'kept',
        'newer',
        'other',
        undefined,
      ])
      const after = await ledgerAt(state)
      expect(['a', 'b/c', 'd', 'new/1', 'new/2', 'e'].map((key) => after.get(key)?.version.sequence)).toEqual([
        6, 9, 10, 15, 14, 16,
      ])
      expect(after.get('d')).toMatchObject({ etag: 'e-10' })
      await after.close()
    }
  },
)
