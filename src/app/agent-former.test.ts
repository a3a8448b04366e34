import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { formerOf } from './agent-former.ts'

test('a node takes back what it said of trees and proxies that it no longer has, and nothing else', async () => {
  const store = new MemoryStore({ clock: new VirtualClock() })
  const stay = ['joined', 'alive', 'target/new', 'datasets/new', 'loads/new', 'proxy/new', 'files/data', 'served'].map(
    (end) => `node/a/${end}`,
  )
  const go = ['target/old', 'datasets/old', 'loads/old', 'proxy/old', 'files/new', 'files/old', 'target/data'].map(
    (end) => `node/a/${end}`,
  )
  const others = ['node/ab/target/old', 'node/b/proxy/old']
  for (const key of [...stay, ...go, ...others]) await store.commit({ changes: [{ op: 'put', key, value: '{}' }] })
  const targets = { new: { kind: 'erddap' }, data: { kind: 'files' } }
  const config = { node: 'a', targets, proxies: { new: {} }, files: {} } as unknown as Parameters<typeof formerOf>[0]
  const { signal } = new AbortController()
  await formerOf(config, store).run(signal)
  await formerOf(config, store).run(signal)
  expect((await store.list('')).entries.map(({ key }) => key)).toEqual([...stay, ...others].toSorted())
})

test('a node that serves files no more takes back that it did', async () => {
  const store = new MemoryStore({ clock: new VirtualClock() })
  for (const key of ['node/a/served', 'node/b/served'])
    await store.commit({ changes: [{ op: 'put', key, value: '{}' }] })
  const config = { node: 'a', targets: {}, proxies: {} } as unknown as Parameters<typeof formerOf>[0]
  await formerOf(config, store).run(new AbortController().signal)
  expect((await store.list('')).entries.map(({ key }) => key)).toEqual(['node/b/served'])
})
