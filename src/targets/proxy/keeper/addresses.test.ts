import { expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../../../test/helpers/virtual-clock.ts'
import { silent } from '../../../core/log.ts'
import { Addresses, networksOf } from './addresses.ts'

class Setup {
  readonly clock = new VirtualClock()
  readonly names = new Map<string, readonly string[]>()
  readonly asked: string[] = []
  changes = 0
  readonly addresses: Addresses

  constructor(networks: readonly string[] = []) {
    this.addresses = new Addresses({
      name: 'front',
      clock: this.clock,
      log: silent,
      networks,
      onChange: () => void (this.changes += 1),
      lookup: async (name) => {
        this.asked.push(name)
        const found = this.names.get(name)
        if (found === undefined) throw new Error('ENOTFOUND')
        return found
      },
    })
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    void this.addresses.run(stop.signal)
  }
}

test('a name is looked up at once, and the one who waits is told', async () => {
  const at = new Setup()
  at.names.set('erd1', ['10.0.0.9', '10.0.0.1'])
  at.addresses.follow(['erd1', '10.0.0.5'])
  expect(at.addresses.of('erd1')).toBeUndefined()
  await at.clock.advance(0)
  expect([at.addresses.of('erd1'), at.addresses.of('10.0.0.5'), at.changes]).toEqual(['10.0.0.1', '10.0.0.5', 1])
  expect(at.asked).toEqual(['erd1'])
})

test('a name that is not known is asked again soon, one that is known every half minute', async () => {
  const at = new Setup()
  at.names.set('erd1', ['10.0.0.1'])
  at.addresses.follow(['erd1', 'erd2'])
  await at.clock.advance(7000)
  expect(at.asked.filter((name) => name === 'erd2')).toHaveLength(3)
  at.names.set('erd2', ['10.0.0.2'])
  await at.clock.advance(3000)
  expect(at.addresses.of('erd2')).toBe('10.0.0.2')
  await at.clock.advance(60_000)
  expect(at.asked.filter((name) => name === 'erd1')).toHaveLength(3)
})

test('a name keeps its address for as long as it has it, and while it cannot be looked up', async () => {
  const at = new Setup()
  at.names.set('erd1', ['10.0.0.5'])
  at.addresses.follow(['erd1'])
  await at.clock.advance(0)
  at.names.set('erd1', ['10.0.0.1', '10.0.0.5'])
  await at.clock.advance(30_000)
  expect(at.addresses.of('erd1')).toBe('10.0.0.5')
  at.names.delete('erd1')
  await at.clock.advance(30_000)
  expect([at.addresses.of('erd1'), at.changes]).toEqual(['10.0.0.5', 1])
  at.names.set('erd1', ['10.0.0.7'])
  await at.clock.advance(30_000)
  expect([at.addresses.of('erd1'), at.changes]).toEqual(['10.0.0.7', 2])
  at.addresses.follow([])
  expect(at.addresses.of('erd1')).toBeUndefined()
})

test('what was found is there again after a restart', async () => {
  const at = new Setup()
  at.names.set('erd1', ['10.0.0.1'])
  at.addresses.follow(['erd1', 'erd2'])
  await at.clock.advance(0)
  const again = new Setup()
  again.addresses.restore(at.addresses.found)
  again.addresses.follow(['erd1'])
  expect(again.addresses.of('erd1')).toBe('10.0.0.1')
})

test.for([
  '169.254.169.254',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  'fe80::1',
  'ff02::1',
  '::ffff:169.254.169.254',
])('no node is at %s, nor under a name that leads there', async (address) => {
  const at = new Setup()
  at.names.set('trap', [address])
  at.addresses.follow(['trap', address])
  await at.clock.advance(0)
  expect([at.addresses.of(address), at.addresses.of('trap')]).toEqual([undefined, undefined])
})

test('with networks, nodes are there and nowhere else', async () => {
  const at = new Setup(['10.1.0.0/16', '2001:db8::/32'])
  at.names.set('erd1', ['10.2.0.1', '10.1.0.1'])
  at.addresses.follow(['erd1'])
  await at.clock.advance(0)
  expect(at.addresses.of('erd1')).toBe('10.1.0.1')
  expect(at.addresses.of('10.2.0.1')).toBeUndefined()
  expect(at.addresses.of('127.0.0.1')).toBeUndefined()
  expect(at.addresses.of('2001:db8::1')).toBe('2001:db8::1')
  for (const wrong of ['10.0.0.0', '10.0.0.0/33', 'x/8', '::/129', '10.0.0/8']) {
    expect(() => networksOf([wrong])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  }
})
