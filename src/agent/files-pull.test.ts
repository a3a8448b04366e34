import { expect, onTestFinished, test } from 'vitest'
import { NOTHING_DONE } from '../../test/helpers/nothing-done.ts'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { NodeFiles } from '../core/files/report.ts'
import { silent } from '../core/log.ts'
import { FilesPull, type PullEvents } from './files-pull.ts'

const NOTHING = { ...NOTHING_DONE, listed: 3 }

class Setup {
  readonly clock = new VirtualClock()
  readonly told: NodeFiles[] = []
  readonly opened: PullEvents[] = []
  closed = 0
  caughtUp = true
  move: (() => void) | undefined
  readonly pull: FilesPull

  constructor() {
    this.pull = new FilesPull({
      tree: 'data',
      open: async (events) => {
        this.opened.push(events)
        return {
          from: `source ${this.opened.length}`,
          run: async (signal) =>
            await new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
          wake: () => undefined,
          totals: () => ({ files: 3, bytes: 30 }),
          close: async () => void (this.closed += 1),
        }
      },
      moved: async () => await new Promise((resolve) => void (this.move = resolve)),
      groups: () => undefined,
      isCaughtUp: () => this.caughtUp,
      tell: (report) => void this.told.push(report),
      clock: this.clock,
      log: silent,
    })
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    void this.pull.run(stop.signal)
  }

  get events(): PullEvents {
    return this.opened.at(-1) as PullEvents
  }

  get last(): NodeFiles | undefined {
    return this.told.at(-1)
  }
}

test('a node is behind until a round was complete, and in step from then on', async () => {
  const at = new Setup()
  await at.clock.advance(0)
  expect(at.last).toMatchObject({ state: 'pulling', files: 0 })
  at.events.onProgress({ files: 3, bytes: 30, filesDone: 1, bytesDone: 10, isListed: false })
  expect(at.last).toMatchObject({ state: 'pulling', pending: { files: 2, bytes: 20 } })
  at.events.onRound({ ...NOTHING, fetched: 3, bytes: 30 })
  expect(at.last).toMatchObject({ state: 'in-step', from: 'source 1', files: 3, bytes: 30 })
  expect(at.last).not.toHaveProperty('behindSinceMs')
  expect(at.last).not.toHaveProperty('pending')
})

test('what failed is told with the files and the reason, and since when', async () => {
  const at = new Setup()
  await at.clock.advance(0)
  at.events.onRound(NOTHING)
  await at.clock.advance(5000)
  const failures = [{ key: 'a', code: 'CORRUPT', message: 'damaged' }] as const
  at.events.onRound({ ...NOTHING, complete: false, failures, failed: 1 })
  const sinceMs = at.clock.nowMs()
  expect(at.last).toMatchObject({ state: 'failed', failed: failures, behindSinceMs: sinceMs, files: 3 })
  await at.clock.advance(5000)
  at.events.onError(new FlotillaError('UNREACHABLE', 'nobody there', { hint: 'Start it.' }))
  const error = { code: 'UNREACHABLE', message: 'nobody there', hint: 'Start it.' }
  expect(at.last).toMatchObject({ state: 'failed', error, behindSinceMs: sinceMs, files: 3 })
  at.events.onRound(NOTHING)
  expect(at.last).toMatchObject({ state: 'in-step' })
  expect(at.last).not.toHaveProperty('error')
})

test('a node that does not show the generation that the others show is not in step', async () => {
  const at = new Setup()
  await at.clock.advance(0)
  at.caughtUp = false
  at.events.onRound(NOTHING)
  expect(at.last).toMatchObject({ state: 'pulling' })
  at.caughtUp = true
  at.pull.repeat()
  expect(at.last).toMatchObject({ state: 'in-step' })
})

test('with other sources it begins anew', async () => {
  const at = new Setup()
  await at.clock.advance(0)
  at.move?.()
  await at.clock.advance(0)
  expect([at.opened.length, at.closed]).toEqual([2, 1])
  at.events.onRound(NOTHING)
  expect(at.last).toMatchObject({ from: 'source 2' })
})
