import { expect, test } from 'vitest'
import { FlotillaError } from '../core/errors.ts'
import type { Below, HelloAnswer } from '../core/push/wire.ts'
import { distributing, inTime, type Setting, until } from '../../test/helpers/distributing.ts'
import { cut, type Faults, hang } from '../../test/helpers/push-child.ts'

/** What is wrong with children is told where it is looked for, and nobody waits for what cannot come. */

const inStep = ({ distribution }: Setting): boolean => distribution.children().every(({ state }) => state === 'in-step')
const ALL = { level: 'all', timeoutMs: 30_000 } as const

function refusing(code: 'OUTDATED' | 'LOOP' | 'UNAUTHENTICATED', isOn: () => boolean): Faults {
  return {
    before: () => {
      if (isOn()) throw new FlotillaError(code, 'no, not from you', { hint: 'do something else' })
    },
  }
}

/** Says what lies below it. */
function saysBelow({ receivers }: Setting, below: Below | undefined): void {
  const [receiver] = receivers
  if (receiver !== undefined) receiver.hello = async (): Promise<HelloAnswer> => ({ id: receiver.id, below })
}

test('a root from which another took over knows it from a child that it fed, and until that child takes something again', async () => {
  let isOutdated = false
  const setting = distributing({ faults: [refusing('OUTDATED', () => isOutdated), {}] })
  const { node, distribution, put } = setting
  await put('a', 'x')
  await until(() => inStep(setting), node)
  expect(distribution.outdatedBy).toBeUndefined()
  isOutdated = true
  await put('b', 'taken meanwhile')
  await until(() => distribution.outdatedBy !== undefined, node)
  expect(distribution.outdatedBy).toBe('child0:1')
  expect(distribution.children()[0]).toMatchObject({
    state: 'refused',
    error: 'OUTDATED: no, not from you',
    hint: 'do something else',
    behind: { operations: 1 },
  })
  isOutdated = false
  await until(() => inStep(setting), node)
  expect(distribution.outdatedBy).toBeUndefined()
})

test('an outdated root knows it when it is started again, before any child has said a word', async () => {
  let [isOutdated, isCut] = [false, false]
  const outdated = refusing('OUTDATED', () => isOutdated)
  const faults = [
    { before: (...call: Parameters<NonNullable<Faults['before']>>) => (isCut ? cut() : outdated.before?.(...call)) },
  ]
  const first = distributing({ faults })
  const { node } = first
  await first.put('a', 'x')
  await until(() => inStep(first), node)
  isOutdated = true
  await until(() => first.distribution.outdatedBy !== undefined, node)
  await first.stop()
  node.restarted()
  isCut = true
  const second = distributing({ faults, node })
  expect(second.distribution.outdatedBy).toBe('child0:1')
  await node.clock.advance(30_000)
  expect(second.distribution.outdatedBy).toBe('child0:1')
  ;[isOutdated, isCut] = [false, false]
  await until(() => inStep(second), node)
  expect(node.ledger.outdatedBy()).toEqual([])
})

test('an outdated root says nothing to its other children any more, so that who took over can feed them', async () => {
  let isOutdated = false
  const setting = distributing({ faults: [refusing('OUTDATED', () => isOutdated), {}] })
  const { node, distribution, receivers, put } = setting
  const other = receivers[1]!
  await put('a', 'x')
  await until(() => inStep(setting), node)
  isOutdated = true
  await until(() => distribution.outdatedBy !== undefined && distribution.children()[1]!.state === 'refused', node)
  const greeted = other.hellos.length
  await put('b', 'acknowledged a moment before it was known')
  await node.clock.advance(120_000)
  expect([other.hellos.length, other.held.has('b')]).toEqual([greeted, false])
  expect(distribution.outdatedBy).toBe('child0:1')
  expect(distribution.children()[1]).toMatchObject({
    error: 'OUTDATED: child0:1 took this tree over, and nothing goes on from here',
    hint: 'Start this node as a child of who took over.',
    behind: { operations: 1 },
  })
  isOutdated = false
  await until(() => inStep(setting), node)
  expect(other.files().get('b')).toBe('acknowledged a moment before it was known')
})

test('a node that was never a child here does not stop a root, whatever it says', async () => {
  const setting = distributing({ faults: [refusing('OUTDATED', () => true), {}] })
  const { node, distribution, put } = setting
  await put('a', 'x')
  await until(() => distribution.children()[0]!.state === 'refused', node)
  expect(distribution.outdatedBy).toBeUndefined()
})

test('a level that a refusing child keeps out of reach is answered at once', async () => {
  const setting = distributing({ faults: [refusing('UNAUTHENTICATED', () => true), {}] })
  const { node, distribution, put } = setting
  await put('a', 'x')
  await until(() => distribution.children()[1]!.state === 'in-step', node)
  const startMs = node.clock.monotonicMs()
  const all = await inTime(distribution.reached('a', ALL, {}), node)
  expect(all).toMatchObject({ isReached: false, children: [{ state: 'failed' }, { state: 'reached' }] })
  expect(node.clock.monotonicMs() - startMs).toBeLessThan(1500)
  expect(await inTime(distribution.reached('a', { ...ALL, level: 'quorum' }, {}), node)).toMatchObject({
    isReached: true,
  })
})

test('a child that is not there is waited for ten seconds, and no longer; as long as was asked for, where that was asked', async () => {
  let isCut = false
  const setting = distributing({ faults: [{ before: () => (isCut ? cut() : undefined) }] })
  const { node, distribution, put } = setting
  await put('a', 'x')
  await until(() => inStep(setting), node)
  isCut = true
  await put('b', 'x')
  const spent = async (isPatient: boolean): Promise<number> => {
    const startMs = node.clock.monotonicMs()
    expect((await inTime(distribution.reached('b', { ...ALL, isPatient }, {}), node)).isReached).toBe(false)
    return node.clock.monotonicMs() - startMs
  }
  const first = await spent(false)
  expect(first).toBeGreaterThan(8000)
  expect(first).toBeLessThan(12_000)
  expect(await spent(false)).toBeLessThan(1500)
  expect(await spent(true)).toBeGreaterThanOrEqual(30_000)
})

test('a child that is started again within ten seconds is waited for', async () => {
  let isCut = false
  const setting = distributing({ faults: [{ before: () => (isCut ? cut() : undefined) }] })
  const { node, distribution, put } = setting
  await put('a', 'x')
  await until(() => inStep(setting), node)
  isCut = true
  await put('b', 'x')
  const reach = distribution.reached('b', ALL, {})
  await node.clock.advance(6000)
  isCut = false
  expect((await inTime(reach, node)).isReached).toBe(true)
})

test('a child that vanishes without a word is told within ten seconds', async () => {
  let isHung = false
  const setting = distributing({ faults: [{ before: async (_, signal) => (isHung ? hang(signal) : undefined) }] })
  const { node, distribution, put } = setting
  await put('a', 'x')
  await until(() => inStep(setting), node)
  await node.clock.advance(60_000)
  isHung = true
  const startMs = node.clock.monotonicMs()
  await until(() => distribution.children()[0]!.state === 'unreachable', node)
  expect(node.clock.monotonicMs() - startMs).toBeLessThanOrEqual(10_500)
  expect(distribution.children()[0]!.error).toContain('fell silent')
})

test('a child that answers something else meanwhile has not fallen silent', async () => {
  const setting = distributing({
    faults: [{ before: async (call, signal) => (call.name === 'hello' && isSlow ? hang(signal) : undefined) }],
  })
  let isSlow = false
  const { node, distribution, put } = setting
  await put('a', 'x')
  await until(() => inStep(setting), node)
  isSlow = true
  for (let at = 0; at < 60; at++) {
    await put('a', `x${at}`)
    await node.clock.advance(1000)
    expect(distribution.children()[0]!.state).not.toBe('unreachable')
  }
})

test('what is wrong below a child is told here and above, and what cannot end by itself is not waited for', async () => {
  const setting = distributing({ faults: [{}] })
  const { node, receivers, distribution, put } = setting
  receivers[0]!.isDeep = false
  saysBelow(setting, { error: 'leaf:1: LOOP: it is above itself', isRefusal: true })
  await put('a', 'x')
  await until(() => inStep(setting), node)
  expect(distribution.children()[0]).toMatchObject({ state: 'in-step', below: 'leaf:1: LOOP: it is above itself' })
  expect(distribution.below).toEqual({ error: 'child0:1: leaf:1: LOOP: it is above itself', isRefusal: true })
  const startMs = node.clock.monotonicMs()
  const all = await inTime(distribution.reached('a', ALL, {}), node)
  expect(all.children[0]).toMatchObject({ state: 'failed', error: 'below it leaf:1: LOOP: it is above itself' })
  expect(node.clock.monotonicMs() - startMs).toBeLessThan(1500)
  expect((await inTime(distribution.reached('a', { ...ALL, level: 'quorum' }, {}), node)).isReached).toBe(true)
  // It ends below: that is heard within some seconds.
  saysBelow(setting, undefined)
  await node.clock.advance(6000)
  expect(distribution.children()[0]!.below).toBeUndefined()
  expect(distribution.below).toBeUndefined()
})

test('the trouble of a child of its own is told above, a refusal before others', async () => {
  const setting = distributing({ faults: [{ before: () => cut() }, refusing('LOOP', () => true)] })
  const { node, distribution } = setting
  await until(() => distribution.children().every(({ error }) => error !== undefined), node)
  expect(distribution.below).toEqual({ error: 'child1:1: LOOP: no, not from you', isRefusal: true })
})

test('several roots tell each other what each of them sees, and not what they heard of it', async () => {
  const election = { term: 5, leader: { node: 'a', url: 'http://a:1', epoch: 5 } }
  const setting = distributing({ faults: [{}], election })
  const { node, distribution } = setting
  saysBelow(setting, { error: 'c:1: UNREACHABLE', isRefusal: false })
  await until(() => inStep(setting), node)
  expect(distribution.children()[0]!.below).toBe('c:1: UNREACHABLE')
  expect(distribution.below).toBeUndefined()
})

test('the error of what a child could not take is told with the child', async () => {
  const setting = distributing({ faults: [{}] })
  const { node, receivers, distribution, put } = setting
  receivers[0]!.refuses = () => ({ result: 'failed', code: 'DISK_FULL', message: 'no room' })
  await put('a', 'x')
  await until(() => distribution.children()[0]!.stuck === 1, node)
  expect(distribution.children()[0]!.error).toBe('a: DISK_FULL: no room')
})

test('nobody is told when a hung child will be in step', async () => {
  let isHung = false
  const big = 'x'.repeat(600_000)
  const setting = distributing({
    faults: [
      {
        before: async ({ name }, signal) => {
          if (name !== 'operations') return
          if (isHung) await hang(signal)
          await node.clock.sleep(500, signal)
        },
      },
    ],
    isRunning: false,
  })
  const { node, put, distribution } = setting
  for (let at = 0; at < 60; at++) await put(`k${at}`, big)
  const stop = new AbortController()
  const runs = distribution.services.map(async (service) => service.run(stop.signal))
  await until(() => distribution.children()[0]!.etaMs !== undefined, node)
  isHung = true
  const startMs = node.clock.monotonicMs()
  await until(() => distribution.children()[0]!.etaMs === undefined, node)
  expect(node.clock.monotonicMs() - startMs).toBeLessThan(5500)
  await node.clock.advance(60_000)
  expect(distribution.children()[0]!.etaMs).toBeUndefined()
  stop.abort()
  await Promise.allSettled(runs)
})
