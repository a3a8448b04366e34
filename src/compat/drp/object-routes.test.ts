import { expect, it, onTestFinished } from 'vitest'
import { openTestHub } from '../../../test/helpers/hub.ts'
import { storeInstead } from '../../../test/helpers/store-instead.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { MemoryStore } from '../../store/memory/memory-store.ts'
import { drpFace } from './face.ts'

it('a list that is filtered by a param takes no more reads the more there are in it', async () => {
  const memory = new MemoryStore({ clock: systemClock })
  let reads = 0
  const store = storeInstead(memory, {
    get: (key, op) => ((reads += 1), memory.get(key, op)),
    list: (prefix, op) => ((reads += 1), memory.list(prefix, op)),
  })
  const hub = await openTestHub({ store, faces: [drpFace()] })
  onTestFinished(() => hub.close())
  const put = (name: string, Profiles: readonly string[] = [], Params = {}) =>
    hub.ask('POST', '/api/v3/profiles', { token: hub.admin, json: { Name: name, Profiles, Params } })
  await put('common', [], { color: 'red' })
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
