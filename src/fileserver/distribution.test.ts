import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { createHash } from 'node:crypto'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { memoryTree, openFileServer } from '../../test/helpers/file-server.ts'
import { fedTree, type FedTree, type MemoryChild } from '../../test/helpers/memory-distribution.ts'
import { HOPS_HEADER, HOPS_MAX } from '../core/push/wire.ts'
import { isKeptName, isKeptValue } from './object-headers.ts'

let tree: FedTree
let near: MemoryChild
let far: MemoryChild
let url: string

beforeEach(async () => {
  tree = fedTree('music')
  near = tree.distribution.add('near:81')
  far = tree.distribution.add('far:82/music')
  url = (await openFileServer({ trees: [tree], open: { openWrites: true } })).url
})

async function put(path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(`${url}/music/${path}`, { method: 'PUT', body, headers })
}

async function s3Of(credentials: string): Promise<S3Client> {
  const running = await openFileServer({ trees: [tree, memoryTree('bucket')], credentials })
  const client = new S3Client({
    endpoint: running.url,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId: 'A', secretAccessKey: 's' },
    maxAttempts: 1,
  })
  onTestFinished(() => client.destroy())
  return client
}

test('a plain PUT is answered with a line for each node, in the words of nginx.filedist', async () => {
  const answer = await put('a b/x.mp3', 'content')
  const host = new URL(url).host
  expect(answer.status).toBe(201)
  expect(answer.headers.get('etag')).toBe(`"${tree.index.get('a b/x.mp3')?.etag}"`)
  expect(await answer.text()).toBe(
    [
      `success: ${host}/music/a%20b/x.mp3 stored: 7bytes`,
      'success: near:81/music/a%20b/x.mp3 stored: 7bytes',
      'success: far:82/music/music/a%20b/x.mp3 stored: 7bytes',
      '',
    ].join('\n'),
  )
})

test('who speaks S3 is told the MD5 as the ETag, which is not computed for others', async () => {
  const md5 = `"${createHash('md5').update('content').digest('hex')}"`
  expect((await put('x', 'content', { 'x-amz-acl': 'private' })).headers.get('etag')).toBe(md5)
  expect((await put('x', 'content')).headers.get('etag')).not.toBe(md5)
})

test('a level that was not reached in time is told: the file is here, and on its way', async () => {
  far.state = 'failed'
  far.error = 'no route\nsuccess: far:82/music/x stored: 7bytes'
  const one = await put('x', 'content', { 'x-flotilla-ack': 'all', 'x-flotilla-ack-timeout': '1.5' })
  expect(one.status).toBe(202)
  expect(one.headers.get('x-flotilla-reached')).toBe('level=all; reached=no; children=1/2')
  const text = await one.text()
  expect(text.split('\n')[2]).toBe(
    'error: far:82/music/music/x failed to store: no route success: far:82/music/x stored: 7bytes',
  )
  expect(tree.distribution.asked).toEqual([{ key: 'x', wish: { level: 'all', timeoutMs: 1500, isPatient: true } }])
  const two = await put('x?ack=quorum', 'content', { accept: 'application/json' })
  expect(two.status).toBe(201)
  expect(await two.json()).toEqual({
    path: '/music/x',
    bytes: 7,
    etag: expect.any(String),
    ack: { level: 'quorum', reached: true },
    children: [
      { child: 'http://near:81', state: 'reached' },
      { child: 'http://far:82/music', state: 'failed', error: far.error },
    ],
  })
  expect(tree.index.get('x')).toBeDefined()
})

test('a root from which another node took over takes no writes, and says who does', async () => {
  tree.distribution.outdatedBy = 'near:81'
  const refused = [
    await put('x', 'content'),
    await fetch(`${url}/music/x`, { method: 'DELETE' }),
    await fetch(`${url}/music/x?uploads`, { method: 'POST' }),
  ]
  for (const answer of refused) {
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining('near:81 took this tree over')])
  }
  expect(tree.index.files.size).toBe(0)
})

test('a DELETE is answered likewise, and one of an absent file is a success', async () => {
  await put('x', 'content')
  const gone = await fetch(`${url}/music/x`, { method: 'DELETE' })
  expect([gone.status, (await gone.text()).split('\n')[1]]).toEqual([200, 'success: near:81/music/x removed'])
  near.state = 'pending'
  const again = await fetch(`${url}/music/x?ack=all`, { method: 'DELETE' })
  expect([again.status, (await again.text()).split('\n')[1]]).toEqual([
    202,
    'error: near:81/music/x failed to remove: it is on its way',
  ])
})

test('what is wished in no proper form is refused before anything is done', async () => {
  for (const [query, headers] of [
    ['?ack=most', {}],
    ['', { 'x-flotilla-ack': '-1' }],
    ['', { 'x-flotilla-ack-timeout': '-1' }],
    ['', { 'x-flotilla-ack-timeout': '99999' }],
    ['', { 'x-flotilla-ack-timeout': '1e3' }],
  ] as const) {
    expect((await put(`x${query}`, 'content', headers)).status).toBe(400)
    expect((await fetch(`${url}/music/x${query}`, { method: 'DELETE', headers })).status).toBe(400)
  }
  expect(tree.index.files.size).toBe(0)
  expect(tree.distribution.asked).toEqual([])
})

test('a part of a file does not take the place of the whole', async () => {
  await put('x', 'whole')
  const answer = await put('x', 'le', { 'content-range': 'bytes 3-4/5' })
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('send the whole file')])
  expect(tree.index.get('x')?.size).toBe(5)
})

test('a tree without children answers as ever', async () => {
  const lone = await openFileServer({ trees: [fedTree('music')], open: { openWrites: true } })
  const answer = await fetch(`${lone.url}/music/x?ack=all`, { method: 'PUT', body: 'content' })
  expect([answer.status, await answer.text(), answer.headers.get('x-flotilla-reached')]).toEqual([200, '', null])
  expect((await fetch(`${lone.url}/music/x`, { method: 'DELETE' })).status).toBe(204)
})

test('clients of S3 are answered as S3 does, with what was reached in a header', async () => {
  const s3 = await s3Of('A:s\n')
  const seen: (string | undefined)[] = []
  s3.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      seen.push((result.response as { headers: Record<string, string> }).headers['x-flotilla-reached'])
      return result
    },
    { step: 'deserialize', priority: 'low' },
  )
  const Bucket = 'music'
  await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'content' }))
  await s3.send(new CopyObjectCommand({ Bucket, Key: 'b', CopySource: 'music/a' }))
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'c' }))
  const part = { Bucket, Key: 'c', UploadId, PartNumber: 1 }
  const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body: 'part' }))
  const complete = { Bucket, Key: 'c', UploadId, MultipartUpload: { Parts: [{ ETag, PartNumber: 1 }] } }
  expect(await s3.send(new CompleteMultipartUploadCommand(complete))).toMatchObject({ Key: 'c' })
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a' }))
  const Delete = { Objects: [{ Key: 'b' }, { Key: 'c' }] }
  expect((await s3.send(new DeleteObjectsCommand({ Bucket, Delete }))).Errors).toBeUndefined()
  const all = 'level=local; reached=yes; children=2/2'
  expect(seen).toEqual([all, all, undefined, undefined, all, all, all])
})

test('a file that only a child still has can be copied, whole and as a part', async () => {
  near.tree.index.put('only/there', 'kept below')
  const s3 = await s3Of('A:s\n')
  const Bucket = 'music'
  const CopySource = 'music/only/there'
  await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource }))
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'parts' }))
  const part = { Bucket, Key: 'parts', UploadId, PartNumber: 1 }
  const { CopyPartResult } = await s3.send(new UploadPartCopyCommand({ ...part, CopySource }))
  const Parts = [{ ETag: CopyPartResult?.ETag, PartNumber: 1 }]
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'parts', UploadId, MultipartUpload: { Parts } }))
  for (const key of ['copy', 'parts']) {
    expect(Buffer.from(tree.index.files.get(key)?.bytes ?? []).toString()).toBe('kept below')
  }
  const nowhere = new CopyObjectCommand({ Bucket, Key: 'x', CopySource: 'music/nowhere' })
  await expect(s3.send(nowhere)).rejects.toMatchObject({ name: 'NoSuchKey' })
})

test('whatever is kept with a file can be told to a child', async () => {
  const s3 = await s3Of('A:s\n')
  const Bucket = 'music'
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'c', Metadata: { a: 'b' } }))
  const part = { Bucket, Key: 'c', UploadId, PartNumber: 1 }
  const { ETag, ChecksumCRC32 } = await s3.send(new UploadPartCommand({ ...part, Body: 'part' }))
  const Parts = [{ ETag, ChecksumCRC32, PartNumber: 1 }]
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'c', UploadId, MultipartUpload: { Parts } }))
  const ContentDisposition = 'attachment; filename="x y"'
  await s3.send(new PutObjectCommand({ Bucket, Key: 'd', Body: 'x', ContentDisposition, Metadata: { 'a.b_c': 'd' } }))
  for (const key of ['c', 'd']) {
    const file = await tree.files.open(key)
    const headers = Object.entries(file?.facts?.headers ?? {})
    await file?.close()
    expect(headers.length).toBeGreaterThan(2)
    expect(headers.filter(([name, value]) => !isKeptName(name) || !isKeptValue(name, value))).toEqual([])
  }
})

test('a level that is not reached is an error for clients of S3, for each key where there are several', async () => {
  const s3 = await s3Of('A:s\n')
  tree.distribution.ack = { level: 'all', timeoutMs: 10 }
  far.state = 'pending'
  const Bucket = 'music'
  const failed = { name: 'NotAcknowledged', $metadata: { httpStatusCode: 503 } }
  await expect(s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'content' }))).rejects.toMatchObject(failed)
  expect(tree.index.get('a')).toBeDefined()
  const copy = new CopyObjectCommand({ Bucket, Key: 'b', CopySource: 'music/a' })
  await expect(s3.send(copy)).rejects.toMatchObject(failed)
  const Delete = { Objects: [{ Key: 'a' }, { Key: 'b' }] }
  const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete }))
  expect(Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([
    ['a', 'NotAcknowledged'],
    ['b', 'NotAcknowledged'],
  ])
  expect(tree.index.files.size).toBe(0)
})

test('the wish in the query is signed with the rest, or added to a signed URL', async () => {
  const s3 = await s3Of('A:s\n')
  const signed = await getSignedUrl(s3, new PutObjectCommand({ Bucket: 'music', Key: 'x' }))
  const answer = await fetch(`${signed}&ack=all`, { method: 'PUT', body: 'content' })
  expect([answer.status, answer.headers.get('x-flotilla-reached')]).toEqual([
    200,
    'level=all; reached=yes; children=2/2',
  ])
  expect((await fetch(`${signed}&ack=all&acl`, { method: 'PUT', body: 'x' })).status).toBe(403)
  s3.middlewareStack.add(
    (next) => async (args) => {
      const { query } = args.request as { query: Record<string, string> }
      query['ack'] = 'one'
      return await next(args)
    },
    { step: 'build' },
  )
  await s3.send(new PutObjectCommand({ Bucket: 'music', Key: 'y', Body: 'content' }))
  expect(tree.distribution.asked.map(({ key, wish }) => [key, wish.level])).toEqual([
    ['x', 'all'],
    ['y', 'one'],
  ])
})

test('a tree that is fed takes nothing from others, and says who feeds it', async () => {
  tree.index.put('x', 'content')
  tree.distribution.fedBy = 'root:8080'
  for (const [method, path] of [
    ['PUT', 'x'],
    ['DELETE', 'x'],
    ['POST', 'x?uploads'],
    ['POST', '?delete'],
  ] as const) {
    const answer = await fetch(`${url}/music/${path}`, { method, ...(method === 'PUT' && { body: 'other' }) })
    expect([method, answer.status]).toEqual([method, 403])
    expect(await answer.text()).toMatch(/<Code>AccessDenied<.*fed by root:8080: write there/)
  }
  expect(await (await fetch(`${url}/music/x`)).text()).toBe('content')
  const closed = await openFileServer({ trees: [tree], keys: 'k read\n' })
  const stranger = await fetch(`${closed.url}/music/x`, { method: 'DELETE', headers: { authorization: 'Bearer k' } })
  expect(await stranger.text()).not.toContain('root:8080')
})

test.for([
  ['content-md5', 'rL0Y20zC+Fzt72VPzMSk2A=='],
  ['x-amz-checksum-sha256', Buffer.alloc(32).toString('base64')],
  ['repr-digest', `sha-256=:${Buffer.alloc(32).toString('base64')}:`],
  ['content-digest', `sha-256=:${Buffer.alloc(32).toString('base64')}:`],
  ['repr-digest', `sha-512=:${Buffer.alloc(64).toString('base64')}:`],
  ['repr-digest', `sha-256=:${digest('sha256', 'content')}:, sha-512=:${Buffer.alloc(64).toString('base64')}:`],
] as const)('a wrong digest is refused, and nothing is stored: %s %s', async ([name, value]) => {
  const answer = await put('x', 'content', { [name]: value })
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('<Code>BadDigest<')])
  expect(tree.index.files.size).toBe(0)
  expect(tree.distribution.asked).toEqual([])
})

test.for(['sha-256=abc', 'sha-256=:!:', 'sha-512=:AAAA:', 'sha-256'])(
  'a digest in no proper form is refused: %s',
  async (value) => {
    const answer = await put('x', 'content', { 'repr-digest': value })
    const isOfAny = value.includes('=')
    expect([answer.status, tree.index.files.size]).toEqual(isOfAny ? [400, 0] : [201, 1])
  },
)

test('a root that does not lead sends who writes to the one that does, with the same path and query; readers stay', async () => {
  tree.distribution.fedBy = 'leader:8480'
  tree.distribution.leader = { url: 'http://leader:8480' }
  tree.index.put('here', 'content')
  const asked = `${url}/music/a%20b/x?ack=one`
  const moved = await fetch(asked, { method: 'PUT', body: 'content', redirect: 'manual' })
  expect([moved.status, moved.headers.get('location')]).toEqual([307, 'http://leader:8480/music/a%20b/x?ack=one'])
  expect(await moved.text()).toMatch(/<Code>TemporaryRedirect<\/Code>.*<Endpoint>leader:8480<\/Endpoint>/)
  const gone = await fetch(`${url}/music/here`, { method: 'DELETE', redirect: 'manual' })
  expect(gone.status).toBe(307)
  const many = await fetch(`${url}/music?delete`, { method: 'POST', body: 'x', redirect: 'manual' })
  expect([many.status, many.headers.get('location')]).toEqual([307, 'http://leader:8480/music?delete'])
  expect(await (await fetch(`${url}/music/here`)).text()).toBe('content')
  tree.distribution.leader = { url: undefined }
  const nobody = await put('x', 'content')
  expect([nobody.status, nobody.headers.get('retry-after')]).toEqual([503, '1'])
  expect([...tree.index.files.keys()]).toEqual(['here'])
})

test('who may not write is told so, and not where it could', async () => {
  tree.distribution.leader = { url: 'http://leader:8480' }
  const closed = await openFileServer({ trees: [tree] })
  const answer = await fetch(`${closed.url}/music/x`, { method: 'PUT', body: 'x', redirect: 'manual' })
  expect([answer.status, answer.headers.get('location')]).toEqual([403, null])
})

test('right digests are taken, those that are not known pass, and the SHA-256 is told to who wants it', async () => {
  const both = `unixsum=:AAA=:, sha-512=:${digest('sha512', 'content')}:, sha-256=:${digest('sha256', 'content')}:;x=1`
  const stored = await put('x', 'content', { 'content-digest': both, 'want-repr-digest': 'sha-512=3, sha-256=10' })
  const field = `sha-256=:${digest('sha256', 'content')}:`
  expect([stored.status, stored.headers.get('repr-digest')]).toEqual([201, field])
  const of = async (wish: string, headers: Record<string, string> = {}): Promise<string | null> =>
    (await fetch(`${url}/music/x`, { headers: { 'want-repr-digest': wish, ...headers } })).headers.get('repr-digest')
  expect(await of('sha-256=1')).toBe(field)
  expect(await of('sha-256=1', { range: 'bytes=0-1' })).toBe(field)
  expect(await of('sha-256=0')).toBeNull()
  expect(await of('sha-512=5')).toBeNull()
})

test('creating and replacing are atomic, and what was refused is not asked after', async () => {
  const create = { 'if-none-match': '*' }
  const answers = await Promise.all(Array.from({ length: 20 }, async (_, at) => put('x', `${at}`, create)))
  expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([
    201,
    ...Array.from({ length: 19 }, () => 412),
  ])
  expect(tree.distribution.asked).toHaveLength(1)
  const etag = answers.find(({ status }) => status === 201)?.headers.get('etag') ?? ''
  expect((await put('x', 'next', { 'if-match': etag })).status).toBe(201)
  expect((await put('x', 'late', { 'if-match': etag })).status).toBe(412)
  expect((await put('y', 'new', { 'if-match': etag })).status).toBe(404)
  expect(await (await fetch(`${url}/music/x`)).text()).toBe('next')
})

function digest(algorithm: string, content: string): string {
  return createHash(algorithm).update(content).digest('base64')
}

test('what is not here comes from a child, with ranges and conditions; what was deleted does not', async () => {
  far.tree.index.put('a', '0123456789')
  const whole = await fetch(`${url}/music/a`)
  expect([whole.status, await whole.text()]).toEqual([200, '0123456789'])
  const some = await fetch(`${url}/music/a`, { headers: { range: 'bytes=2-4' } })
  expect([some.status, await some.text(), some.headers.get('content-range')]).toEqual([206, '234', 'bytes 2-4/10'])
  const etag = whole.headers.get('etag') ?? ''
  expect((await fetch(`${url}/music/a`, { headers: { 'if-none-match': etag } })).status).toBe(304)
  const head = await fetch(`${url}/music/a`, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '10'])
  tree.distribution.deleted.add('a')
  expect((await fetch(`${url}/music/a`)).status).toBe(404)
  expect((await fetch(`${url}/music/b`)).status).toBe(404)
})

test('a file of a child is never left to the nginx in front, which does not have it', async () => {
  far.tree.index.put('a', 'x'.repeat(100))
  tree.index.put('b', 'x'.repeat(100))
  const fronted = await openFileServer({
    trees: [tree],
    open: { openReads: true },
    sendfile: { prefix: 'internal', minBytes: 1 },
  })
  const [far_, here] = [await fetch(`${fronted.url}/music/a`), await fetch(`${fronted.url}/music/b`)]
  expect([far_.headers.get('x-accel-redirect'), (await far_.text()).length]).toEqual([null, 100])
  expect(here.headers.get('x-accel-redirect')).toBe('/internal/music/b')
})

test('only a node of the tree may say how many were asked before it', async () => {
  const ask = async (from: string, hops: string, key: string): Promise<void> =>
    void (await fetch(`${from}/music/${key}`, { headers: { [HOPS_HEADER]: hops, authorization: 'Bearer k' } }))
  const closed = await openFileServer({ trees: [tree], keys: 'k read\n' })
  for (const hops of ['1', '7', '8', '0', '-1', '999999', 'x', '1,2', '']) await ask(closed.url, hops, 'b')
  expect(tree.distribution.askedElsewhere).toEqual([])
  const parent = await openFileServer({ trees: [tree], keys: 'k parent music\n' })
  for (const hops of ['1', '7', String(HOPS_MAX), '-1', '99', 'x']) await ask(parent.url, hops, 'b')
  expect(tree.distribution.askedElsewhere.map(({ hops }) => hops)).toEqual([1, 7])
})

test('headers that steer an nginx come neither from a client nor from a child', async () => {
  const evil = { 'x-accel-redirect': '/etc/passwd', 'x-accel-buffering': 'no', 'x-sendfile': '/etc/passwd' }
  expect((await put('x', 'content', evil)).status).toBe(201)
  const answer = await fetch(`${url}/music/x`, { headers: evil })
  expect(await answer.text()).toBe('content')
  expect([...answer.headers.keys()].filter((name) => /accel|sendfile/.test(name))).toEqual([])
  const child = memoryTree('child', { far: 'content' })
  const open = child.files.open('far')
  tree.distribution.elsewhere = async () => {
    const file = await open
    return file && { ...file, facts: { headers: { ...evil, 'x-flotilla-hops': '3' } } }
  }
  const far_ = await fetch(`${url}/music/far`)
  expect(await far_.text()).toBe('content')
  expect([...far_.headers.keys()].filter((name) => /accel|sendfile|hops/.test(name))).toEqual([])
})
