import { expect, it, onTestFinished } from 'vitest'
import { openTestHub } from '../../../test/helpers/hub.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { MemoryStore } from '../../store/memory/memory-store.ts'
import { drpFace } from './face.ts'

it('a list that is filtered by a param takes no more reads the more there are in it', async () => {
  const store = new MemoryStore({ clock: systemClock })
  const hub = await openTestHub({ store, faces: [drpFace()] })
  onTestFinished(() => hub.close())
  const put = (name: string, Profiles: readonly string[] = [], Params = {}) =>
    hub.ask('POST', '/api/v3/profiles', { token: hub.admin, json: { Name: name, Profiles, Params } })
  await put('common', [], { color: 'red' })
  let reads = 0
  const { get, list } = store
  store.get = (...given) => ((reads += 1), get.apply(store, given))
  store.list = (...given) => ((reads += 1), list.apply(store, given))
  const ask = async (): Promise<{ readonly names: readonly string[]; readonly reads: number }> => {
    reads = 0
    const { text } = await hub.ask('GET', '/api/v3/profiles?color=red', { token: hub.admin })
    return { names: (JSON.parse(text) as { Name: string }[]).map(({ Name }) => Name), reads }
  }
  await put('p0', ['common'])
  const few = await ask()
  for (const index of Array(8).keys()) await put(`p${index + 1}`, ['common'])
  const many = await ask()
  expect([few.names, many.names.length]).toEqual([['common', 'p0'], 10])
  expect(many.reads).toBe(few.reads)
})
