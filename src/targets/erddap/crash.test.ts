import { join } from 'node:path'
import { expect, test } from 'vitest'
import { files, remote } from '../../../standin/erddap/test-kit.ts'
import {
  afterTheStep,
  beforeTheStep,
  type Death,
  dyingAt,
  survived,
  unremembered,
} from '../../../test/helpers/dying.ts'
import { ErddapNode } from '../../../test/helpers/erddap-node.ts'
import { releaseOf } from '../../../test/helpers/erddap-release.ts'
import type { PendingRequest } from '../../core/release.ts'
import type { StagedRelease } from '../../core/target.ts'

const request: PendingRequest = { kind: 'clear-cache', item: '*', author: 'x', atMs: 0, generation: 9 }
const E = remote('e', 'E')

/** One of everything; `calm` must never be loaded again. */
function change(node: ErddapNode): { readonly one: StagedRelease; readonly two: StagedRelease } {
  const hard = files('hard', 'Hard', node.data)
  const soft = remote('soft', 'Soft')
  const one = {
    'a.xml': remote('calm', 'Calm'),
    'b.xml': soft,
    'c.xml': hard,
    'd.xml': remote('gone', 'Gone'),
    'e.xml': E,
  }
  const two = {
    'a.xml': one['a.xml'],
    'b.xml': soft.replace('Soft', 'Softer'),
    'c.xml': hard.replace('float', 'double'),
    'e.xml': E,
    'f.xml': remote('new', 'New'),
    'files/side.txt': 'side',
  }
  const removed = { gone: { type: 'EDDGridFromDap', release: 2 } }
  return { one: releaseOf(1, one), two: releaseOf(2, two, { active: { e: false }, removed, requests: [request] }) }
}

/** Crashes at every step of the way from release 1 to release 2, each time on another node. */
async function crashEverywhere(deathOn: (node: ErddapNode) => Death): Promise<number> {
  for (let nth = 1; ; nth++) {
    const node = new ErddapNode()
    const { one, two } = change(node)
    await node.turn(one)
    await node.startLater()
    node.forget()
    await node.inStep(one)
    const [events, flags] = [node.eventCount, node.flagCount()]
    const mortal = dyingAt(node.makeTarget(), nth, deathOn(node))
    const isAlive = await survived(node.inStep(two, mortal))
    node.forget()
    expect(await node.inStep(two)).toMatchObject({ applied: 2, served: 2 })
    const loads = node.events(events)
    const timesOf = (id: string) => loads.filter((event) => event.startsWith(`loaded ${id} `)).length
    expect(timesOf('calm'), `step ${nth}: ${loads.join(', ')}`).toBe(0)
    for (const id of ['soft', 'hard', 'new']) {
      expect(timesOf(id), `step ${nth}: ${loads.join(', ')}`).toBeGreaterThanOrEqual(1)
      expect(timesOf(id), `step ${nth}: ${loads.join(', ')}`).toBeLessThanOrEqual(isAlive ? 1 : 2)
    }
    expect(node.erddap?.served().toSorted()).toEqual(['calm', 'hard', 'new', 'soft'])
    expect(node.erddap?.stats).toMatchObject({ badReads: [], pollsWithSeveralKinds: 0 })
    expect(node.flags(flags).filter((flag) => flag.endsWith(' calm'))).toEqual([])
    if (isAlive) return nth - 1
  }
}

test('a crash before any step is followed by the same steps', { timeout: 60_000 }, async () => {
  expect(await crashEverywhere(() => beforeTheStep)).toBeGreaterThan(5)
})

test('a crash after any step', { timeout: 60_000 }, async () => {
  await crashEverywhere(() => afterTheStep)
})

test('a crash in any step, after what it does and before that is remembered', { timeout: 60_000 }, async () => {
  await crashEverywhere((node) => async (apply) => {
    expect(await unremembered(join(node.stateDir, 'erddap.json'), apply)).toBe(true)
  })
})
