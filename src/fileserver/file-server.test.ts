import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketAclCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { createHash, randomBytes } from 'node:crypto'
import { Agent } from 'node:http'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { FlotillaError } from '../core/errors.ts'
import {
  type MemoryServedTree,
  memoryTree,
  openFileServer,
  type RunningFileServer,
} from '../../test/helpers/file-server.ts'

const Bucket = 'bucket'
let tree: MemoryServedTree
let other: MemoryServedTree
let running: RunningFileServer
let s3: S3Client

function clientOf(url: string, accessKeyId = 'WRITER', options: object = {}): S3Client {
  const client = new S3Client({
    endpoint: url,
    region: 'eu-central-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey: 'secret' },
    maxAttempts: 1,
    ...options,
  })
  onTestFinished(() => client.destroy())
  return client
}

beforeEach(async () => {
  tree = memoryTree(Bucket)
  other = memoryTree('other')
  const credentials = 'WRITER:secret\nREADER:secret read\nNARROW:secret write bucket/only\n'
  running = await openFileServer({ trees: [tree, other], credentials, keys: 'apikey\n' })
  s3 = clientOf(running.url)
})

afterEach(() => {
  expect(tree.files.opened).toBe(0)
  expect(other.files.opened).toBe(0)
})

const put = async (Key: string, Body: string | Uint8Array = Key) => s3.send(new PutObjectCommand({ Bucket, Key, Body }))
const text = async (Key: string, more: object = {}): Promise<string | undefined> =>
  (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body?.transformToString()

test('a file is put, read, described and removed', async () => {
  const Metadata = { mtime: '1700000000.5', note: 'x' }
  const given = {
    Bucket,
    Key: 'a/b',
    Body: 'content',
    Metadata,
    CacheControl: 'max-age=5',
    ContentType: 'text/x',
    ContentDisposition: 'inline',
    ContentLanguage: 'de',
    ContentEncoding: 'identity2',
  }
  const { ETag, ChecksumCRC32 } = await s3.send(new PutObjectCommand(given))
  expect(ETag).toBe(`"${createHash('md5').update('content').digest('hex')}"`)
  expect(ChecksumCRC32).toMatch(/^[\w+/]{6}==$/)
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a/b', ChecksumMode: 'ENABLED' }))
  const kept = {
    Metadata,
    CacheControl: 'max-age=5',
    ContentType: 'text/x',
    ContentDisposition: 'inline',
    ContentLanguage: 'de',
    ContentEncoding: 'identity2',
  }
  expect(head).toMatchObject({ ...kept, ETag, ChecksumCRC32, ContentLength: 7 })
  expect(await text('a/b')).toBe('content')
  expect(await text('a/b', { Range: 'bytes=1-3' })).toBe('ont')
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a/b' }))
  await s3.send(new DeleteObjectCommand({ Bucket, Key: 'a/b' }))
  await expect(text('a/b')).rejects.toMatchObject({ name: 'NoSuchKey', $metadata: { httpStatusCode: 404 } })
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'a/b' }))).rejects.toMatchObject({ name: 'NotFound' })
})

test.for([
  '+ +',
  '%2F',
  '/leading',
  'a//b',
  'a/../b',
  '../../etc/passwd',
  './a',
  'end/',
  'ü/\u{1F600}',
  '?x=y',
  '#',
  '&<>"\'',
  'a\\b',
  'k'.repeat(1024),
  "(*)!'",
  'tab\t',
])('the key %j is a key like any other', async (Key) => {
  await put(Key, 'content')
  expect(tree.index.get(Key)).toMatchObject({ key: Key, size: 7 })
  expect(await text(Key)).toBe('content')
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket, EncodingType: 'url' }))
  expect(Contents?.map((one) => decodeURIComponent(one.Key ?? ''))).toEqual([Key])
  await s3.send(new CopyObjectCommand({ Bucket: 'other', Key, CopySource: `${Bucket}/${encodeURIComponent(Key)}` }))
  expect(other.index.get(Key)).toMatchObject({ size: 7 })
  const { Errors } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }] } }))
  expect(Errors).toBeUndefined()
  expect(tree.index.get(Key)).toBeUndefined()
})

test('a stream of unknown checksum comes in chunks with a trailer', async () => {
  const body = randomBytes(300_000)
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
    const Body = Readable.from([body.subarray(0, 100_000), body.subarray(100_000)])
    const given = { Bucket, Key: ChecksumAlgorithm, Body, ContentLength: body.byteLength, ChecksumAlgorithm }
    await s3.send(new PutObjectCommand(given))
    const head = await s3.send(new HeadObjectCommand({ Bucket, Key: ChecksumAlgorithm, ChecksumMode: 'ENABLED' }))
    expect(head[`Checksum${ChecksumAlgorithm}`]).toBeDefined()
    expect(head.ContentEncoding).toBeUndefined()
    expect(
      Buffer.from(
        (await (await s3.send(new GetObjectCommand({ Bucket, Key: ChecksumAlgorithm }))).Body?.transformToByteArray())!,
      ).equals(body),
    ).toBe(true)
  }
})

test('a checksum or hash that is not that of the body is refused, and nothing is stored', async () => {
  const wrong = { ChecksumCRC32: 'AAAAAA==' }
  await expect(s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ...wrong }))).rejects.toMatchObject({
    name: 'BadDigest',
  })
  const md5 = { ContentMD5: createHash('md5').update('y').digest('base64') }
  await expect(s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ...md5 }))).rejects.toMatchObject({
    name: 'BadDigest',
  })
  await expect(s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ContentMD5: '!' }))).rejects.toMatchObject({
    name: 'InvalidDigest',
  })
  expect(tree.index.get('a')).toBeUndefined()
})

test('a write has conditions: a lock is got by one', async () => {
  const attempts = await Promise.allSettled(
    Array.from({ length: 8 }, async (_, number) =>
      s3.send(new PutObjectCommand({ Bucket, Key: 'lock', Body: `${number}`, IfNoneMatch: '*' })),
    ),
  )
  expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  const failed = attempts.find((one) => one.status === 'rejected')
  expect(failed?.reason).toMatchObject({ name: 'PreconditionFailed', $metadata: { httpStatusCode: 412 } })
  const { ETag } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'lock' }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'lock', Body: 'next', IfMatch: ETag }))
  await expect(
    s3.send(new PutObjectCommand({ Bucket, Key: 'lock', Body: 'late', IfMatch: ETag })),
  ).rejects.toMatchObject({ name: 'PreconditionFailed' })
  await expect(s3.send(new DeleteObjectCommand({ Bucket, Key: 'lock', IfMatch: ETag }))).rejects.toMatchObject({
    name: 'PreconditionFailed',
  })
  expect(await text('lock')).toBe('next')
})

test('a read has conditions and ranges', async () => {
  await put('a', '0123456789')
  const { ETag, LastModified } = await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }))
  expect(await text('a', { IfMatch: ETag, Range: 'bytes=-3' })).toBe('789')
  await expect(text('a', { IfMatch: '"other"' })).rejects.toMatchObject({ $metadata: { httpStatusCode: 412 } })
  await expect(text('a', { IfNoneMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } })
  await expect(text('a', { IfModifiedSince: LastModified })).rejects.toMatchObject({
    $metadata: { httpStatusCode: 304 },
  })
  await expect(text('a', { Range: 'bytes=10-' })).rejects.toMatchObject({ name: 'InvalidRange' })
  expect(await text('a', { Range: 'bytes=0-1,4-5' })).toBe('0123456789')
  const shown = await s3.send(
    new GetObjectCommand({ Bucket, Key: 'a', ResponseContentType: 'text/y', ResponseCacheControl: 'no-store' }),
  )
  expect(shown).toMatchObject({ ContentType: 'text/y', CacheControl: 'no-store' })
  expect(await shown.Body?.transformToString()).toBe('0123456789')
})

test('a listing pages through everything, with and without folders, in both versions', async () => {
  const keys = ['a', 'a-b', 'a/1', 'a/2', 'a/2/3', 'b/1', 'c', 'ä']
  for (const key of keys) tree.index.put(key, key)
  for (const MaxKeys of [1, 3, 1000]) {
    for (const Delimiter of [undefined, '/']) {
      const expected = Delimiter === undefined ? keys : ['a', 'a-b', 'a/', 'b/', 'c', 'ä']
      const v2: string[] = []
      for (let ContinuationToken: string | undefined; ;) {
        const page = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys, Delimiter, ContinuationToken }))
        const lines = [
          ...(page.Contents ?? []).map(({ Key = '' }) => Key),
          ...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix),
        ]
        expect(page.KeyCount).toBe(lines.length)
        v2.push(...lines)
        ContinuationToken = page.NextContinuationToken
        expect(page.IsTruncated).toBe(ContinuationToken !== undefined)
        if (ContinuationToken === undefined) break
      }
      expect(new Set(v2)).toEqual(new Set(expected))
      expect(v2).toHaveLength(expected.length)
      const v1: string[] = []
      for (let Marker: string | undefined; ;) {
        const page = await s3.send(new ListObjectsCommand({ Bucket, MaxKeys, Delimiter, Marker }))
        const lines = [
          ...(page.Contents ?? []).map(({ Key = '' }) => Key),
          ...(page.CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix),
        ]
        v1.push(...lines)
        Marker = page.NextMarker ?? lines.at(-1)
        if (page.IsTruncated !== true) break
        if (Delimiter !== undefined) expect(page.NextMarker).toBeDefined()
      }
      expect(new Set(v1)).toEqual(new Set(expected))
      expect(v1).toHaveLength(expected.length)
    }
  }
  const after = await s3.send(new ListObjectsV2Command({ Bucket, StartAfter: 'a/1', Prefix: 'a/', FetchOwner: true }))
  expect(after.Contents?.map(({ Key }) => Key)).toEqual(['a/2', 'a/2/3'])
  expect(after.Contents?.[0]).toMatchObject({ Size: 3, StorageClass: 'STANDARD', Owner: { ID: 'flotilla' } })
  expect(after.Contents?.[0]?.ETag).toBe(`"${tree.index.get('a/2')?.etag}"`)
  const none = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 0 }))
  expect([none.KeyCount, none.IsTruncated]).toEqual([0, false])
  await expect(s3.send(new ListObjectsV2Command({ Bucket, ContinuationToken: '!' }))).rejects.toMatchObject({
    name: 'InvalidArgument',
  })
  await expect(s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: -1 }))).rejects.toMatchObject({
    name: 'InvalidArgument',
  })
  const versions = await s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 3 }))
  expect(versions.Versions?.map(({ Key, VersionId, IsLatest }) => [Key, VersionId, IsLatest])).toEqual(
    keys.slice(0, 3).map((key) => [key, 'null', true]),
  )
  expect(versions).toMatchObject({ IsTruncated: true, NextKeyMarker: 'a/1' })
})

test.for([
  ['of a bucket', '/data'],
  ['of a bucket, second version', '/data?list-type=2'],
  ['of versions', '/data?versions'],
  ['of Open-Meteo', '/?list-type=2&delimiter=/&prefix=data/'],
  ['for wget', '/__index__/data/'],
  ['for wget, a page', '/__index__/data/?after='],
])(
  'a folder that is still being looked at for the first time is told as that, not broken off: a listing %s',
  async ([, path]) => {
    const unknown = memoryTree('data', { a: 'x' })
    unknown.index.page = () => {
      throw new FlotillaError('NOT_READY', 'being looked at')
    }
    const { url } = await openFileServer({ trees: [unknown] })
    const answer = await fetch(url + path)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.text()).toContain('being looked at')
  },
)

test('a bucket says of itself what clients ask', async () => {
  expect((await s3.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual([Bucket, 'other'])
  await s3.send(new HeadBucketCommand({ Bucket }))
  expect((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBeUndefined()
  expect((await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBeUndefined()
  expect((await s3.send(new GetBucketAclCommand({ Bucket }))).Grants?.[0]?.Permission).toBe('FULL_CONTROL')
  await expect(s3.send(new GetBucketPolicyCommand({ Bucket }))).rejects.toMatchObject({ name: 'NoSuchBucketPolicy' })
  await expect(s3.send(new GetBucketTaggingCommand({ Bucket }))).rejects.toMatchObject({ name: 'NoSuchTagSet' })
  await s3.send(new CreateBucketCommand({ Bucket }))
  await expect(s3.send(new CreateBucketCommand({ Bucket: 'new' }))).rejects.toMatchObject({ name: 'AccessDenied' })
  await put('a')
  expect((await s3.send(new GetObjectTaggingCommand({ Bucket, Key: 'a' }))).TagSet).toEqual([])
  await expect(s3.send(new DeleteBucketCommand({ Bucket }))).rejects.toMatchObject({ name: 'BucketNotEmpty' })
  await expect(s3.send(new HeadBucketCommand({ Bucket: 'absent' }))).rejects.toMatchObject({
    $metadata: { httpStatusCode: 404 },
  })
  await expect(s3.send(new ListObjectsV2Command({ Bucket: 'absent' }))).rejects.toMatchObject({ name: 'NoSuchBucket' })
  await expect(s3.send(new PutObjectCommand({ Bucket: 'absent', Key: 'a', Body: 'x' }))).rejects.toMatchObject({
    name: 'NoSuchBucket',
  })
})

test('a copy keeps or replaces what was kept, and has conditions', async () => {
  const CacheControl = 'max-age=1'
  await s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'content', Metadata: { x: '1' }, CacheControl }))
  const CopySource = `${Bucket}/a`
  const { CopyObjectResult } = await s3.send(
    new CopyObjectCommand({ Bucket, Key: 'b', CopySource, ChecksumAlgorithm: 'SHA256' }),
  )
  expect(CopyObjectResult?.ChecksumSHA256).toBe(createHash('sha256').update('content').digest('base64'))
  expect(await s3.send(new HeadObjectCommand({ Bucket, Key: 'b' }))).toMatchObject({
    Metadata: { x: '1' },
    CacheControl,
  })
  await s3.send(
    new CopyObjectCommand({ Bucket, Key: 'c', CopySource, MetadataDirective: 'REPLACE', Metadata: { y: '2' } }),
  )
  expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'c' }))).Metadata).toEqual({ y: '2' })
  await s3.send(
    new CopyObjectCommand({ Bucket, Key: 'a', CopySource, MetadataDirective: 'REPLACE', Metadata: { z: '3' } }),
  )
  expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }))).Metadata).toEqual({ z: '3' })
  await expect(s3.send(new CopyObjectCommand({ Bucket, Key: 'a', CopySource }))).rejects.toMatchObject({
    name: 'InvalidRequest',
  })
  await expect(
    s3.send(new CopyObjectCommand({ Bucket, Key: 'd', CopySource, CopySourceIfMatch: '"x"' })),
  ).rejects.toMatchObject({ name: 'PreconditionFailed' })
  await expect(
    s3.send(new CopyObjectCommand({ Bucket, Key: 'd', CopySource: `${Bucket}/absent` })),
  ).rejects.toMatchObject({ name: 'NoSuchKey' })
  expect(tree.index.get('d')).toBeUndefined()
})

test('many are removed in one request, each with its own outcome', async () => {
  for (const key of ['a', 'only/b', 'c']) tree.index.put(key, key)
  const narrow = clientOf(running.url, 'NARROW')
  const Objects = [{ Key: 'a' }, { Key: 'only/b' }, { Key: 'only/absent' }]
  const result = await narrow.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
  expect(result.Deleted?.map(({ Key }) => Key)).toEqual(['only/b', 'only/absent'])
  expect(result.Errors?.map(({ Key, Code }) => [Key, Code])).toEqual([['a', 'AccessDenied']])
  const quiet = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: 'c' }], Quiet: true } }))
  expect(quiet.Deleted).toBeUndefined()
  expect([...tree.index.files.keys()]).toEqual(['a'])
})

test('a file comes in parts, is listed as an upload until then, and read by part', async () => {
  const Key = 'large/file'
  const parts = [randomBytes(5 * 1024 * 1024), randomBytes(5 * 1024 * 1024), Buffer.from('end')]
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ Bucket, Key, Metadata: { x: '1' }, ChecksumAlgorithm: 'CRC32' }),
  )
  const Parts: { PartNumber: number; ETag: string | undefined; ChecksumCRC32: string | undefined }[] = []
  for (const [index, Body] of parts.entries()) {
    const PartNumber = index + 1
    const { ETag, ChecksumCRC32 } = await s3.send(
      new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'CRC32' }),
    )
    Parts.push({ PartNumber, ETag, ChecksumCRC32 })
  }
  expect((await s3.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads).toMatchObject([{ Key, UploadId }])
  expect((await s3.send(new ListMultipartUploadsCommand({ Bucket, Delimiter: '/' }))).CommonPrefixes).toEqual([
    { Prefix: 'large/' },
  ])
  const listed = await s3.send(new ListPartsCommand({ Bucket, Key, UploadId, MaxParts: 2 }))
  expect(listed).toMatchObject({ IsTruncated: true, NextPartNumberMarker: '2', Parts: Parts.slice(0, 2) })
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key }))).rejects.toMatchObject({ name: 'NotFound' })
  const wrong = [{ ...Parts[0], ETag: '"00000000000000000000000000000000"' }, ...Parts.slice(1)]
  const complete = async (chosen: object[]) =>
    s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: chosen } }))
  await expect(complete(wrong)).rejects.toMatchObject({ name: 'InvalidPart' })
  await expect(complete([Parts[1]!, Parts[0]!])).rejects.toMatchObject({ name: 'InvalidPartOrder' })
  await expect(complete([Parts[0]!, Parts[2]!, { ...Parts[2]!, PartNumber: 4 }])).rejects.toMatchObject({
    name: 'InvalidPart',
  })
  const { ETag, ChecksumCRC32 } = await complete(Parts)
  expect(ETag).toMatch(/^"[0-9a-f]{32}-3"$/)
  expect(ChecksumCRC32).toMatch(/-3$/)
  const whole = await s3.send(new GetObjectCommand({ Bucket, Key }))
  expect(whole.Metadata).toEqual({ x: '1' })
  expect(Buffer.from(await whole.Body!.transformToByteArray()).equals(Buffer.concat(parts))).toBe(true)
  const second = await s3.send(new HeadObjectCommand({ Bucket, Key, PartNumber: 3 }))
  expect(second).toMatchObject({ PartsCount: 3, ContentLength: 3 })
  expect(await text(Key, { PartNumber: 3 })).toBe('end')
  const attributes = await s3.send(
    new GetObjectAttributesCommand({
      Bucket,
      Key,
      ObjectAttributes: ['ObjectSize', 'ETag', 'ObjectParts', 'Checksum'],
    }),
  )
  expect(attributes).toMatchObject({
    ObjectSize: 10_485_763,
    ObjectParts: { TotalPartsCount: 3 },
    Checksum: { ChecksumCRC32 },
  })
  // An answer may be lost: whoever asks again hears the same, as long as it is that file.
  expect(await complete(Parts)).toMatchObject({ ETag, ChecksumCRC32, ChecksumType: 'COMPOSITE', Bucket, Key })
  await expect(complete(wrong)).rejects.toMatchObject({ name: 'NoSuchUpload' })
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'another' }))
  await expect(complete(Parts)).rejects.toMatchObject({ name: 'NoSuchUpload' })
})

test('parts can be copied, and an upload given up', async () => {
  const body = randomBytes(6 * 1024 * 1024)
  await put('source', body)
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'copy' }))
  const CopySource = `${Bucket}/source`
  const ranges = ['bytes=0-5242879', 'bytes=5242880-6291455']
  const Parts: { PartNumber: number; ETag: string | undefined }[] = []
  for (const [index, CopySourceRange] of ranges.entries()) {
    const { CopyPartResult } = await s3.send(
      new UploadPartCopyCommand({ Bucket, Key: 'copy', UploadId, PartNumber: index + 1, CopySource, CopySourceRange }),
    )
    Parts.push({ PartNumber: index + 1, ETag: CopyPartResult?.ETag })
  }
  const outside = { Bucket, Key: 'copy', UploadId, PartNumber: 3, CopySource, CopySourceRange: 'bytes=0-6291456' }
  await expect(s3.send(new UploadPartCopyCommand(outside))).rejects.toMatchObject({ name: 'InvalidArgument' })
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key: 'copy', UploadId, MultipartUpload: { Parts } }))
  expect(Buffer.from(tree.index.files.get('copy')!.bytes).equals(body)).toBe(true)
  const small = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'small' }))
  const upload = { Bucket, Key: 'small', UploadId: small.UploadId }
  const smallParts: object[] = []
  for (const PartNumber of [1, 2])
    smallParts.push({
      PartNumber,
      ETag: (await s3.send(new UploadPartCommand({ ...upload, PartNumber, Body: 'x' }))).ETag,
    })
  await expect(
    s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: smallParts } })),
  ).rejects.toMatchObject({ name: 'EntityTooSmall' })
  await s3.send(new AbortMultipartUploadCommand(upload))
  await expect(s3.send(new ListPartsCommand(upload))).rejects.toMatchObject({ name: 'NoSuchUpload' })
})

test('what a scope does not cover is neither read, written, copied nor listed', async () => {
  for (const key of ['only/a', 'onlyb', 'secret/x']) tree.index.put(key, key)
  const narrow = clientOf(running.url, 'NARROW')
  const reader = clientOf(running.url, 'READER')
  const denied = { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } }
  const list = await narrow.send(new ListObjectsV2Command({ Bucket }))
  expect(list.Contents?.map(({ Key }) => Key)).toEqual(['only/a'])
  expect((await narrow.send(new ListObjectsV2Command({ Bucket, Delimiter: '/' }))).CommonPrefixes).toEqual([
    { Prefix: 'only/' },
  ])
  expect((await narrow.send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual([Bucket])
  await expect(narrow.send(new ListObjectsV2Command({ Bucket, Prefix: 'secret/' }))).rejects.toMatchObject(denied)
  await expect(narrow.send(new ListObjectsV2Command({ Bucket: 'other' }))).rejects.toMatchObject(denied)
  for (const Key of ['onlyb', 'secret/x', 'absent'])
    await expect(narrow.send(new GetObjectCommand({ Bucket, Key }))).rejects.toMatchObject(denied)
  await expect(narrow.send(new PutObjectCommand({ Bucket, Key: 'onlyb', Body: 'x' }))).rejects.toMatchObject(denied)
  await expect(
    narrow.send(new CopyObjectCommand({ Bucket, Key: 'only/stolen', CopySource: `${Bucket}/secret/x` })),
  ).rejects.toMatchObject(denied)
  await expect(narrow.send(new CreateMultipartUploadCommand({ Bucket, Key: 'secret/y' }))).rejects.toMatchObject(denied)
  await narrow.send(new PutObjectCommand({ Bucket, Key: 'only/new', Body: 'x' }))
  for (const command of [
    new PutObjectCommand({ Bucket, Key: 'only/new', Body: 'y' }),
    new DeleteObjectCommand({ Bucket, Key: 'only/new' }),
  ]) {
    await expect(reader.send(command)).rejects.toMatchObject(denied)
  }
  expect(tree.index.get('only/new')?.size).toBe(1)
})

test('who is not who they say is refused', async () => {
  await put('a')
  const get = new GetObjectCommand({ Bucket, Key: 'a' })
  await expect(clientOf(running.url, 'NOBODY').send(get)).rejects.toMatchObject({ name: 'InvalidAccessKeyId' })
  const liar = clientOf(running.url, 'WRITER', { credentials: { accessKeyId: 'WRITER', secretAccessKey: 'guess' } })
  await expect(liar.send(get)).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' })
  const late = clientOf(running.url, 'WRITER', { systemClockOffset: 20 * 60_000 })
  await expect(late.send(get)).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' })
  expect((await fetch(`${running.url}/${Bucket}/a`)).status).toBe(403)
})

test('a presigned URL does what was signed, and nothing else', async () => {
  await put('a', 'content')
  const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: 'a', ResponseContentType: 'text/z' }), {
    expiresIn: 60,
  })
  const answer = await fetch(url)
  expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, 'text/z', 'content'])
  expect((await fetch(url.replace('/a?', '/b?'))).status).toBe(403)
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(403)
  const putUrl = await getSignedUrl(s3, new PutObjectCommand({ Bucket, Key: 'b' }), { expiresIn: 60 })
  expect((await fetch(putUrl, { method: 'PUT', body: 'by url' })).status).toBe(200)
  expect(await text('b')).toBe('by url')
})

test('a tree that is read-only is', async () => {
  const fixed = { ...memoryTree('fixed', { a: 'x' }), readOnly: true }
  const { url } = await openFileServer({ trees: [fixed], credentials: 'WRITER:secret\n' })
  const client = clientOf(url)
  expect(await (await client.send(new GetObjectCommand({ Bucket: 'fixed', Key: 'a' }))).Body?.transformToString()).toBe(
    'x',
  )
  for (const command of [
    new PutObjectCommand({ Bucket: 'fixed', Key: 'a', Body: 'y' }),
    new DeleteObjectCommand({ Bucket: 'fixed', Key: 'a' }),
    new CreateMultipartUploadCommand({ Bucket: 'fixed', Key: 'a' }),
    new DeleteObjectsCommand({ Bucket: 'fixed', Delete: { Objects: [{ Key: 'a' }] } }),
  ]) {
    await expect(client.send(command as PutObjectCommand)).rejects.toMatchObject({ name: 'AccessDenied' })
  }
  expect(fixed.index.get('a')?.size).toBe(1)
})

test('a bucket can be a host name', async () => {
  const { port } = await openFileServer({ trees: [tree], credentials: 'WRITER:secret\n', domain: 'files.example.org' })
  const httpAgent = new Agent({
    lookup: (_host, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
  })
  const options = { forcePathStyle: false, requestHandler: { httpAgent } }
  const client = clientOf(`http://files.example.org:${port}`, 'WRITER', options)
  await client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }))
  expect((await client.send(new ListObjectsV2Command({ Bucket }))).Contents?.map(({ Key }) => Key)).toEqual(['a'])
})

test('a presigned URL may hold what is kept of a file, in any language, but no end of a header', async () => {
  const command = new PutObjectCommand({ Bucket, Key: 'a', Metadata: { note: 'x' } })
  const url = await getSignedUrl(s3, command, { expiresIn: 60, hoistableHeaders: new Set(['x-amz-meta-note']) })
  expect(url).toContain('x-amz-meta-note=x')
  expect((await fetch(url, { method: 'PUT', body: 'content' })).status).toBe(200)
  expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'a' }))).Metadata).toEqual({ note: 'x' })
  const credentials = { openWrites: true }
  const open = await openFileServer({ trees: [tree], open: credentials })
  const raw = await fetch(`${open.url}/${Bucket}/b`, {
    method: 'PUT',
    body: 'x',
    headers: { 'x-amz-meta-note': 'gr\u00fc\u00dfe' },
  })
  expect(raw.status).toBe(200)
  expect((await fetch(`${open.url}/${Bucket}/b`)).headers.get('x-amz-meta-note')).toBe('gr\u00fc\u00dfe')
})

test('what is asked for and cannot be given is refused, not passed over', async () => {
  for (const more of [
    { ServerSideEncryption: 'AES256' as const },
    { Tagging: 'a=b' },
    { WebsiteRedirectLocation: '/x' },
  ]) {
    await expect(s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ...more }))).rejects.toMatchObject({
      name: 'NotImplemented',
    })
  }
  expect(tree.index.get('a')).toBeUndefined()
})

test('where anybody may write, those who sign may as well, with whatever key', async () => {
  const { url } = await openFileServer({ trees: [tree], open: { openWrites: true } })
  const anybody = clientOf(url, 'ANYBODY')
  await anybody.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }))
  const Body = Readable.from([Buffer.from('stream')])
  await anybody.send(new PutObjectCommand({ Bucket, Key: 'b', Body, ContentLength: 6 }))
  const headers = {
    authorization: 'AWS4-HMAC-SHA256 Credential=X/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0',
    'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'x-amz-decoded-content-length': '5',
  }
  const signature = `;chunk-signature=${'0'.repeat(64)}\r\n`
  const body = `5${signature}hello\r\n0${signature}\r\n`
  expect((await fetch(`${url}/${Bucket}/c`, { method: 'PUT', headers, body })).status).toBe(200)
  expect(['a', 'b', 'c'].map((key) => tree.index.get(key)?.size)).toEqual([1, 6, 5])
})

test('a bucket that is mistaken does not become a file or a folder of the tree that is guessed', async () => {
  for (const name of ['only', 'openmeteo']) {
    const guessed = memoryTree(name, { 'data/a': 'x' })
    const { url } = await openFileServer({ trees: [guessed], open: { openWrites: true } })
    const status = async (path: string, method: string): Promise<number> =>
      (await fetch(url + path, { method, ...(method === 'PUT' && { body: 'y' }) })).status
    expect(await status('/data/a', 'GET')).toBe(200)
    expect(await status('/new', 'PUT')).toBe(404)
    expect(await status('/new/', 'PUT')).toBe(404)
    expect(await status('/data/?list-type=2', 'GET')).toBe(404)
    expect(await status('/data?location', 'GET')).toBe(404)
    expect(await status('/data/b', 'PUT')).toBe(name === 'openmeteo' ? 200 : 404)
    expect(guessed.index.get('new')).toBeUndefined()
  }
})

test('answers that nobody reads are counted until they are sent, and cost nothing for ever', async () => {
  const half = memoryTree('half', { large: Buffer.alloc(64_000) })
  const { port, server } = await openFileServer({ trees: [half], limits: { silenceMs: 500 } })
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.pause()
  const asked = 'GET /half/large HTTP/1.1\r\nhost: x\r\n\r\n'
  socket.write(asked.repeat(500))
  await expect.poll(() => server.figures.requests).toBeGreaterThan(1)
  await expect.poll(() => server.figures.active, { timeout: 10_000 }).toBe(0)
  expect(server.figures.requests).toBeLessThan(500)
  expect(half.files.opened).toBe(0)
})

test('a replacement of what is not there is told so, and metadata have a limit', async () => {
  const absent = { Bucket, Key: 'absent', Body: 'x', IfMatch: '"00000000000000000000000000000000"' }
  await expect(s3.send(new PutObjectCommand(absent))).rejects.toMatchObject({ name: 'NoSuchKey' })
  const large = { Bucket, Key: 'a', Body: 'x', Metadata: { note: 'x'.repeat(2045) } }
  await expect(s3.send(new PutObjectCommand(large))).rejects.toMatchObject({ name: 'MetadataTooLarge' })
  expect(tree.index.files.size).toBe(0)
  await s3.send(new PutObjectCommand({ ...large, Metadata: { note: 'x'.repeat(2044) } }))
})
