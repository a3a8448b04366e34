import { afterEach, expect, it } from 'vitest'
import { openTestHub, type TestHub } from '../../test/helpers/hub.ts'
import type { ListAnswer, ListChangeAnswer } from '../core/lists.ts'
import { LIST_CHANGE_MAX } from './lists.ts'

let hub: TestHub | undefined
afterEach(async () => await hub?.close())

const LIST = '/v1/trees/datasets/lists/requestBlacklist'

it('puts addresses on a list once, in one way of writing, and takes them off again', async () => {
  hub = await openTestHub()
  const first = await hub.client.changeList('datasets', 'requestBlacklist', { add: ['192.0.2.9/24', '2001:DB8:0::1'] })
  expect(first).toMatchObject({ added: ['192.0.2.0/24', '2001:db8::1'], unchanged: [], left: [] })
  const again = await hub.client.changeList('datasets', 'requestBlacklist', { add: ['192.0.2.*', '2001:db8::1'] })
  expect(again).toMatchObject({ added: [], unchanged: ['192.0.2.0/24', '2001:db8::1'], revision: first.revision })
  const key = 'list/datasets/requestBlacklist/192.0.2.0%2F24'
  expect(JSON.parse((await hub.store.get(key))?.value ?? '')).toMatchObject({ value: '192.0.2.0/24' })
  const off = await hub.client.changeList('datasets', 'requestBlacklist', { remove: ['192.0.2.7', '2001:db8::1'] })
  expect(off).toMatchObject({
    removed: ['2001:db8::1'],
    unchanged: ['192.0.2.7'],
    covered: [{ value: '192.0.2.7', by: '192.0.2.0/24' }],
  })
  const { entries } = await hub.client.list('datasets', 'requestBlacklist')
  expect(entries.map(({ value }) => value)).toEqual(['192.0.2.0/24'])
})

it('says which networks ERDDAP cannot be told, and never counts the addresses of one', async () => {
  hub = await openTestHub()
  const wide = ['8.0.0.0/5', '2001:db8::/64', '::/0']
  const answer = await hub.client.changeList('datasets', 'requestBlacklist', { add: [...wide, '192.0.2.1'] })
  expect(answer.added).toEqual(['8.0.0.0/5', '2001:db8::/64', '::/0', '192.0.2.1'])
  expect(answer.left.map(({ value }) => value).toSorted()).toEqual(wide.toSorted())
})

it('takes one value by its path, whose slash is encoded', async () => {
  hub = await openTestHub()
  const token = await hub.token(['read:list/datasets', 'write:list/datasets/requestBlacklist'])
  const put = await hub.ask('PUT', `${LIST}/192.0.2.0%2F24`, { token })
  expect([put.status, (JSON.parse(put.text) as ListChangeAnswer).added]).toEqual([200, ['192.0.2.0/24']])
  const list = JSON.parse((await hub.ask('GET', LIST, { token })).text) as ListAnswer
  expect(list.entries).toMatchObject([{ value: '192.0.2.0/24', author: 'test' }])
  const gone = await hub.ask('DELETE', `${LIST}/192.0.2.0%2F24`, { token })
  expect((JSON.parse(gone.text) as ListChangeAnswer).removed).toEqual(['192.0.2.0/24'])
  expect(
    await hub.ask('PUT', LIST.replace('requestBlacklist', 'ipAddressUnlimited/192.0.2.1'), { token }),
  ).toMatchObject({ status: 403, code: 'FORBIDDEN' })
})

it('changes nothing when one of the values is none', async () => {
  hub = await openTestHub()
  const refused = async (json: unknown) => {
    const { status, code, message } = await (hub as TestHub).ask('POST', LIST, { token: (hub as TestHub).admin, json })
    return [status, code, message]
  }
  const { revision } = await hub.client.list('datasets', 'requestBlacklist')
  expect(await refused({ add: ['192.0.2.1', 'nonsense'] })).toEqual([400, 'BAD_REQUEST', '"nonsense" is no address'])
  expect(await refused({})).toEqual([400, 'BAD_REQUEST', 'there is nothing to add or to remove'])
  expect((await refused({ add: ['192.0.2.1'], remove: ['192.0.2.1/32'] }))[1]).toBe('BAD_REQUEST')
  const many = Array.from({ length: LIST_CHANGE_MAX + 1 }, (_, index) => `10.0.${index >> 8}.${index & 255}`)
  expect((await refused({ add: many }))[1]).toBe('TOO_LARGE')
  expect((await refused({ add: ['x'.repeat(10_000)] }))[1]).toBe('BAD_REQUEST')
  expect(await hub.client.list('datasets', 'requestBlacklist')).toMatchObject({ entries: [], revision })
})

it('is not written past its route', async () => {
  hub = await openTestHub()
  const json = { changes: [{ op: 'put', key: 'list/datasets/requestBlacklist/x', value: '{}' }] }
  expect(await hub.ask('POST', '/v1/store/commit', { token: hub.admin, json })).toMatchObject({ status: 403 })
})
