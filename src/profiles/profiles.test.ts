import { expect, test } from 'vitest'
import { VirtualClock } from '../../test/helpers/virtual-clock.ts'
import type { ProfileOperation } from '../core/profile/change.ts'
import { editOf } from '../core/profile/edit.ts'
import type { Store } from '../core/store.ts'
import { FirstAnswers } from '../lib/once.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { putDefinition } from './definitions.ts'
import { readHistory } from './history.ts'
import { Profiles } from './profiles.ts'
import { Schemas } from './schemas.ts'

const clock = new VirtualClock()
const schemas = new Schemas()
const by = { id: 'one', label: 'somebody' }

function hubOver(store: Store) {
  const answers = new FirstAnswers(store, () => clock.monotonicMs())
  const profiles = new Profiles({ store, clock, answers, schemas })
  return async (...operations: readonly ProfileOperation[]) =>
    (await profiles.change(operations.map(editOf), { by })).changes
}

test('null is a value to compare with, whatever the default is', async () => {
  const store = new MemoryStore({ clock })
  const change = hubOver(store)
  await putDefinition(store, { name: 'x', description: '', default: 'none' }, { schemas })
  await change({ op: 'create', profile: 'p', params: { x: null, y: null } })
  const set = { op: 'set', profile: 'p', value: 1 } as const
  await expect(change({ ...set, param: 'x', ref: 'none' })).rejects.toMatchObject({ code: 'LOST_RACE' })
  expect(await change({ ...set, param: 'x', ref: null })).toMatchObject([{ changed: true }])
  expect(await change({ ...set, param: 'y', ref: null })).toMatchObject([{ changed: true }])
})

test('operations that come to nothing together are told the version that is there', async () => {
  const store = new MemoryStore({ clock })
  const change = hubOver(store)
  const [made] = await change({ op: 'create', profile: 'p', params: { x: 1 } })
  const set = { op: 'set', profile: 'p', param: 'x' } as const
  const same = { profile: 'p', version: 1, revision: made?.revision, changed: false }
  expect(await change({ ...set, value: 2 }, { ...set, value: 1 })).toEqual([same, same])
  expect(await readHistory(store, 'p')).toHaveLength(1)
})

test('a profile that another hub makes and deletes while it is made here is not given a version twice', async () => {
  const inner = new MemoryStore({ clock })
  const other = hubOver(inner)
  const remake = async () => {
    await other({ op: 'create', profile: 'p' })
    await other({ op: 'delete', profile: 'p' })
  }
  await remake()
  let isFirst = true
  const list: Store['list'] = async (prefix) => {
    const listing = await inner.list(prefix)
    if (isFirst) await remake()
    isFirst = false
    return listing
  }
  const late = Object.assign(Object.create(inner) as Store, {
    list,
    get: inner.get.bind(inner),
    commit: inner.commit.bind(inner),
  })
  expect(await hubOver(late)({ op: 'create', profile: 'p' })).toMatchObject([{ version: 5 }])
  expect((await readHistory(inner, 'p')).map(({ version }) => version)).toEqual([5, 4])
})

test('of profiles that are deleted only their ends remain, however many at once and however long they were', async () => {
  const store = new MemoryStore({ clock })
  const change = hubOver(store)
  const names = Array.from({ length: 12 }, (_, at) => `p${at}`)
  for (const profile of names) {
    await change({ op: 'create', profile })
    for (let n = 0; n < 110; n++) await change({ op: 'increment', profile, param: 'n' })
  }
  await change(...names.map((profile) => ({ op: 'delete', profile }) as const))
  for (const name of names) expect((await readHistory(store, name)).map(({ version }) => version)).toEqual([112])
})

test('a profile is deleted although its history cannot be cleared up, which is done as its versions go on', async () => {
  const inner = new MemoryStore({ clock })
  let commits = Infinity
  const commit: Store['commit'] = async (txn) => {
    if (commits-- > 0) return inner.commit(txn)
    throw new Error('gone')
  }
  const store = { get: inner.get.bind(inner), list: inner.list.bind(inner), commit }
  const change = hubOver(store as unknown as Store)
  await change({ op: 'create', profile: 'p' })
  for (let n = 0; n < 50; n++) await change({ op: 'increment', profile: 'p', param: 'n' })
  commits = 1
  expect(await change({ op: 'delete', profile: 'p' })).toMatchObject([{ changed: true, version: 0 }])
  commits = Infinity
  expect(await inner.get('profile/p')).toBeUndefined()
  await change({ op: 'create', profile: 'p' })
  for (let n = 0; n < 60; n++) await change({ op: 'increment', profile: 'p', param: 'n' })
  expect(await readHistory(inner, 'p')).toHaveLength(100)
})
