import { mkdirSync, readFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { Readable } from 'node:stream'
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
  paginateListObjectsV2,
  PutObjectCommand,
  S3Client,
  type ChecksumAlgorithm,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { READER, startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import {
  KEYS_OF_NO_PATH,
  LONGEST_KEY,
  md5,
  noise,
  ODD_KEYS,
  openTlsFront,
  type TlsFront,
} from '../helpers/s3-clients.ts'

/** Amazon's SDK against a file service, over plain HTTP and over TLS: it signs and sends bodies differently there. */

// Real processes, of which some begin slowly.
vi.setConfig({ testTimeout: 90_000 })
const test = await needs({ tools: ['openssl'] })
const LARGE = noise(11 * 1024 * 1024 + 5, 3)
let service: FileService
let front: TlsFront
let plain: S3Client
let secure: S3Client

beforeAll(async () => {
  service = await startFileService({ trees: ['data', 'other'] })
  front = await openTlsFront(service.url, service.folder)
  plain = clientOf(service.url)
  secure = clientOf(front.url)
})

afterAll(async () => {
  for (const client of [plain, secure]) client?.destroy()
  await front?.close()
  await service?.stop()
})

function clientOf(endpoint: string, { accessKey, secret } = WRITER): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secret },
    requestHandler: { httpsAgent: new Agent({ ca: readFileSync(front.certificate) }) },
    maxAttempts: 1,
  })
}

const put = async (Key: string, Body: string | Uint8Array | Readable, more = {}, client = plain) =>
  await client.send(new PutObjectCommand({ Bucket: 'data', Key, Body, ...more }))
const get = async (Key: string, more = {}, client = plain) =>
  await client.send(new GetObjectCommand({ Bucket: 'data', Key, ...more }))
const text = async (Key: string, more = {}, client = plain): Promise<string | undefined> =>
  await (await get(Key, more, client)).Body?.transformToString()
const statusOf = async (asked: Promise<unknown>): Promise<unknown> =>
  await asked.then(
    () => 200,
    (error: { readonly $metadata?: { readonly httpStatusCode?: number } }) => error.$metadata?.httpStatusCode ?? error,
  )

async function keys(prefix: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const page of paginateListObjectsV2({ client: plain, pageSize: 3 }, { Bucket: 'data', Prefix: prefix })) {
    found.push(...(page.Contents ?? []).map(({ Key = '' }) => Key))
  }
  return found
}

test('buffers and streams go up whole, with their checksums in front or behind, over HTTP and TLS', async () => {
  for (const [name, client] of [
    ['plain', plain],
    ['secure', secure],
  ] as const) {
    const { ETag } = await put(`${name}/buffer`, 'hello', {}, client)
    expect(ETag).toBe(`"${md5(Buffer.from('hello'))}"`)
    // A stream of a length that is said, as of a file: its checksum comes in a trailer.
    const pieces = Readable.from([LARGE.subarray(0, 100_000), LARGE.subarray(100_000, 300_000)])
    await put(`${name}/stream`, pieces, { ContentLength: 300_000 }, client)
    expect(md5(readFileSync(service.at('data', `${name}/stream`)))).toBe(md5(LARGE.subarray(0, 300_000)))
    expect(await text(`${name}/buffer`, { ChecksumMode: 'ENABLED' }, client)).toBe('hello')
    await put(`${name}/empty`, '', {}, client)
    expect(await text(`${name}/empty`, {}, client)).toBe('')
    for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] satisfies ChecksumAlgorithm[]) {
      const body = Readable.from([LARGE.subarray(0, 70_000)])
      await put(`${name}/${ChecksumAlgorithm}`, body, { ChecksumAlgorithm, ContentLength: 70_000 }, client)
      const head = new HeadObjectCommand({
        Bucket: 'data',
        Key: `${name}/${ChecksumAlgorithm}`,
        ChecksumMode: 'ENABLED',
      })
      const answer = await client.send(head)
      expect(answer).toMatchObject({ ContentLength: 70_000, [`Checksum${ChecksumAlgorithm}`]: expect.any(String) })
    }
  }
})

test('a wrong checksum, or a body that is cut, changes nothing', async () => {
  await put('kept', 'as it was')
  expect(await statusOf(put('kept', 'else', { ContentMD5: Buffer.alloc(16).toString('base64') }))).toBe(400)
  expect(await statusOf(put('kept', 'else', { ChecksumCRC32: 'AAAAAA==' }))).toBe(400)
  const cut = put('kept', Readable.from([Buffer.alloc(1000)]), { ContentLength: 2000 }).catch(() => 'refused')
  expect(await cut).toBe('refused')
  expect(await text('kept')).toBe('as it was')
})

test('a large file goes up in parts of its own choice, and is copied within the server, whole and by parts', async () => {
  const Metadata = { run: '2026-03-01T00' }
  for (const [Key, Body, client] of [
    ['large', LARGE, plain],
    ['large-stream', Readable.from([LARGE]), secure],
  ] as const) {
    await new Upload({ client, params: { Bucket: 'data', Key, Body, Metadata } }).done()
    expect(md5(readFileSync(service.at('data', Key)))).toBe(md5(LARGE))
  }
  const head = await plain.send(new HeadObjectCommand({ Bucket: 'data', Key: 'large' }))
  expect(head).toMatchObject({
    ContentLength: LARGE.length,
    Metadata,
    ETag: expect.stringMatching(/^"[0-9a-f]{32}-3"$/),
  })
  const part = await get('large', { PartNumber: 2 })
  expect(md5((await part.Body?.transformToByteArray()) ?? Buffer.alloc(0))).toBe(md5(LARGE.subarray(5 << 20, 10 << 20)))

  // Again and again: buffers that are used a second time too early show only now and then.
  for (let round = 0; round < 3; round++) {
    const Key = `copy-${round}`
    const { CopyObjectResult } = await plain.send(
      new CopyObjectCommand({ Bucket: 'other', Key, CopySource: 'data/large' }),
    )
    expect(md5(readFileSync(service.at('other', Key)))).toBe(md5(LARGE))
    expect(CopyObjectResult?.ETag).toBe(`"${md5(LARGE)}"`)
    await copyByParts(`parts-${round}`)
    expect(md5(readFileSync(service.at('other', `parts-${round}`)))).toBe(md5(LARGE))
  }
})

async function copyByParts(Key: string): Promise<void> {
  const of = { Bucket: 'other', Key }
  const { UploadId } = await plain.send(new CreateMultipartUploadCommand(of))
  const Parts = []
  const ranges = [`bytes=0-${(6 << 20) - 1}`, `bytes=${6 << 20}-${LARGE.length - 1}`]
  for (const [index, CopySourceRange] of ranges.entries()) {
    const PartNumber = index + 1
    const copy = { ...of, UploadId, PartNumber, CopySource: 'data/large', CopySourceRange }
    const { CopyPartResult } = await plain.send(new UploadPartCopyCommand(copy))
    Parts.push({ PartNumber, ETag: CopyPartResult?.ETag })
  }
  await plain.send(new CompleteMultipartUploadCommand({ ...of, UploadId, MultipartUpload: { Parts } }))
}

test('every key is kept apart, listed as it is, and taken away', async () => {
  const all = [...ODD_KEYS, ...KEYS_OF_NO_PATH, LONGEST_KEY].map((key) => (key === LONGEST_KEY ? key : `odd/${key}`))
  for (const key of all) await put(key, `content of ${key}`)
  for (const key of all) expect(await text(key)).toBe(`content of ${key}`)
  const byBytes = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))
  expect(await keys('odd/')).toEqual(all.filter((key) => key !== LONGEST_KEY).toSorted(byBytes))
  expect(await keys('long/')).toEqual([LONGEST_KEY])
  expect(await statusOf(put(`${LONGEST_KEY}x`, ''))).toBe(400)
  for (const key of ODD_KEYS) expect(readFileSync(service.at('data', `odd/${key}`), 'utf8')).toContain('content of')

  const { Versions } = await plain.send(new ListObjectVersionsCommand({ Bucket: 'data', Prefix: 'odd/' }))
  expect(Versions).toHaveLength(all.length - 1)
  expect(Versions?.every(({ VersionId, IsLatest }) => VersionId === 'null' && IsLatest === true)).toBe(true)
  const Objects = [...all, 'was/never'].map((Key) => ({ Key }))
  const { Deleted, Errors } = await secure.send(new DeleteObjectsCommand({ Bucket: 'data', Delete: { Objects } }))
  expect(Errors).toBeUndefined()
  expect(Deleted).toHaveLength(Objects.length)
  expect(await keys('odd/')).toEqual([])
})

test('a file is written only as it was last seen, and only where there is none', async () => {
  const { ETag } = await put('state', 'one', { IfNoneMatch: '*' })
  expect(await statusOf(put('state', 'two', { IfNoneMatch: '*' }))).toBe(412)
  await put('state', 'two', { IfMatch: ETag })
  expect(await statusOf(put('state', 'three', { IfMatch: ETag }))).toBe(412)
  // Of many at once one wins.
  const { ETag: seen } = await get('state')
  const race = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => await statusOf(put('state', `racer ${index}`, { IfMatch: seen }))),
  )
  expect(race.filter((status) => status === 200)).toHaveLength(1)
  expect(race.filter((status) => status === 412)).toHaveLength(7)
})

test('reads are of what was asked for: ranges, and only if it is still the same', async () => {
  const { ETag } = await put('digits', '0123456789')
  expect(await text('digits', { Range: 'bytes=2-4', IfMatch: ETag })).toBe('234')
  expect(await text('digits', { Range: 'bytes=-3' })).toBe('789')
  expect(await get('digits', { Range: 'bytes=8-99' })).toMatchObject({ ContentRange: 'bytes 8-9/10', ContentLength: 2 })
  expect(await statusOf(get('digits', { Range: 'bytes=10-' }))).toBe(416)
  expect(await statusOf(get('digits', { IfMatch: '"other"' }))).toBe(412)
  expect(await statusOf(get('digits', { IfNoneMatch: ETag }))).toBe(304)
  expect(await statusOf(get('nothing'))).toBe(404)
})

test('URLs that are signed beforehand let anybody read and write what they are for, and nothing else', async () => {
  await put('for all.txt', 'signed')
  const url = await getSignedUrl(plain, new GetObjectCommand({ Bucket: 'data', Key: 'for all.txt' }), { expiresIn: 60 })
  expect(await (await fetch(url)).text()).toBe('signed')
  expect((await fetch(url.replace('for%20all', 'other'))).status).toBe(403)
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
  const up = await getSignedUrl(plain, new PutObjectCommand({ Bucket: 'data', Key: 'a+b/new.txt' }), { expiresIn: 60 })
  expect((await fetch(up, { method: 'PUT', body: 'put by URL' })).status).toBe(200)
  expect(await text('a+b/new.txt')).toBe('put by URL')
})

test('what lies in the folder is a bucket like any other', async () => {
  mkdirSync(service.at('data', 'run/sub'), { recursive: true })
  const names = Array.from({ length: 10 }, (_, index) => `run/sub/${index}.om`)
  writeFiles(service.at('data'), Object.fromEntries(names.map((name) => [name, 'om file'])))
  await expect.poll(async () => await keys('run/'), { timeout: 30_000 }).toEqual(names)
  const { Buckets } = await plain.send(new ListBucketsCommand())
  expect(Buckets?.map(({ Name }) => Name)).toEqual(['data', 'other'])
  const { Status } = await plain.send(new GetBucketVersioningCommand({ Bucket: 'data' }))
  expect(Status).toBeUndefined()
  const reader = clientOf(service.url, READER)
  expect(await text('run/sub/3.om', {}, reader)).toBe('om file')
  expect(await statusOf(put('run/sub/3.om', 'no', {}, reader))).toBe(403)
  reader.destroy()
})
