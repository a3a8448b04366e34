import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { memoryTree, openFileServer } from '../../test/helpers/file-server.ts'
import { FileFences } from '../files/fences.ts'

async function served() {
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-fence-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const fences = await FileFences.open(join(folder, 'fences.json'))
  const tree = { ...memoryTree('t'), fences }
  const { url } = await openFileServer({
    trees: [tree, memoryTree('plain')],
    open: { openReads: true, openWrites: true },
  })
  const ask = (method: string, path: string, fence: string, body?: string) =>
    fetch(`${url}/${path}`, { method, headers: { fence }, ...(body !== undefined && { body }) })
  return { tree, ask, url }
}

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
