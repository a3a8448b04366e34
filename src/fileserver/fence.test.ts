import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { memoryTree, openFileServer } from '../../test/helpers/file-server.ts'
import { type FenceCheck, FileFences } from '../files/fences.ts'

async function served({ check, ...access }: { check?: FenceCheck; keys?: string } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-fence-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const fences = await FileFences.open(join(folder, 'fences.json'), check)
  const tree = { ...memoryTree('t'), fences }
  const { url } = await openFileServer({
    trees: [tree, memoryTree('plain')],
    open: { openReads: true, openWrites: access.keys === undefined },
    ...access,
  })
  const ask = (method: string, path: string, fence: string, body?: string, key = 'k') => {
    const headers = { fence, ...(access.keys !== undefined && { authorization: `Bearer ${key}` }) }
    return fetch(`${url}/${path}`, { method, headers, ...(body !== undefined && { body }) })
  }
  return { tree, ask, url }
}

const remove = (keys: readonly string[]): string =>
  `<Delete>${keys.map((key) => `<Object><Key>${key}</Key></Object>`).join('')}</Delete>`

test('a deposed leader writes and removes nothing, whatever the way', async () => {
  const { tree, ask, url } = await served()
  expect((await ask('PUT', 't/a.txt', 'elect/main/a@5', 'one')).status).toBe(200)
  expect((await ask('PUT', 't/a.txt', 'elect/main/b@9', 'two')).status).toBe(200)
  const stale = 'elect/main/a@5'
  const upload =
    /<UploadId>([^<]+)/.exec(await (await fetch(`${url}/t/big?uploads`, { method: 'POST' })).text())?.[1] ?? ''
  const part = await fetch(`${url}/t/big?uploadId=${upload}&partNumber=1`, { method: 'PUT', body: 'x' })
  const complete = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${part.headers.get('etag')}</ETag></Part></CompleteMultipartUpload>`
  const put = await ask('PUT', 't/a.txt', stale, 'three')
  expect([put.status, await put.text()]).toEqual([412, expect.stringContaining('StaleFence')])
  expect((await ask('DELETE', 't/a.txt', stale)).status).toBe(412)
  expect(await (await ask('POST', `t/big?uploadId=${upload}`, stale, complete)).text()).toContain('StaleFence')
  expect(await (await fetch(`${url}/t/a.txt`)).text()).toBe('two')
  expect(tree.index.get('big')).toBeUndefined()
  expect(await (await ask('POST', `t/big?uploadId=${upload}`, 'elect/main/b@9', complete)).text()).toContain('ETag')
  expect(tree.index.get('big')).toBeDefined()
})

test('a fence is refused where nothing can be said of it, and what is none as well', async () => {
  const { ask } = await served()
  expect((await ask('PUT', 'plain/a.txt', 'elect/main/a@5', 'one')).status).toBe(501)
  expect((await ask('PUT', 't/a.txt', 'nonsense', 'one')).status).toBe(400)
  expect((await ask('GET', 't/a.txt', 'nonsense')).status).toBe(404)
})

test('many are removed under one fence, which is asked for once; under a stale one none of them', async () => {
  let asked = 0
  const check: FenceCheck = () => {
    asked += 1
    return Promise.resolve({ isExclusive: true })
  }
  const { tree, ask } = await served({ check })
  const keys = Array.from({ length: 5 }, (_, index) => `many/${index}`)
  for (const key of keys) await ask('PUT', `t/${key}`, 'elect/main/b@9', 'x')
  const stale = await ask('POST', 't?delete', 'elect/main/a@5', remove(keys))
  expect([stale.status, await stale.text()]).toEqual([412, expect.stringContaining('StaleFence')])
  expect(keys.filter((key) => tree.index.get(key) !== undefined)).toEqual(keys)
  asked = 0
  const removed = await ask('POST', 't?delete', 'elect/main/b@9', remove(keys))
  expect((await removed.text()).match(/<Deleted>/g)).toHaveLength(5)
  expect([asked, keys.filter((key) => tree.index.get(key) !== undefined)]).toEqual([1, []])
})

test('who may not write leaves no trace of a fence, however late it is', async () => {
  const { ask } = await served({ keys: 'k write t\nother write t/own/' })
  const refused = await ask('POST', 't?delete', 'elect/main/evil@999', remove(['a', 'b']), 'other')
  expect((await refused.text()).match(/AccessDenied/g)).toHaveLength(2)
  expect((await ask('PUT', 't/a', 'elect/main/a@5', 'one')).status).toBe(200)
})
