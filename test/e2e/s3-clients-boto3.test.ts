import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import {
  KEYS_OF_NO_PATH,
  LONGEST_KEY,
  ODD_KEYS,
  openTlsFront,
  runClient,
  type TlsFront,
} from '../helpers/s3-clients.ts'

/** Amazon's library for Python, as Debian has it. Each script says what it saw as JSON. */

// Real processes, of which some begin slowly.
vi.setConfig({ testTimeout: 90_000 })
const test = await needs({ tools: ['boto3', 'openssl'] })
let service: FileService
let front: TlsFront

beforeAll(async () => {
  service = await startFileService({ trees: ['data'] })
  front = await openTlsFront(service.url, service.folder)
})

afterAll(async () => {
  await front?.close()
  await service?.stop()
})

const PREAMBLE = `
import boto3, hashlib, io, json, sys
from botocore.config import Config
from botocore.exceptions import ClientError
from boto3.s3.transfer import TransferConfig
sent = json.load(sys.stdin)
s3 = boto3.client('s3', endpoint_url=sent['url'], config=Config(s3={'addressing_style': 'path'}))
def code(call, **args):
    try:
        return call(**args)['ResponseMetadata']['HTTPStatusCode']
    except ClientError as error:
        return error.response['Error']['Code']
`

async function python(url: string, script: string, sent: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  const env = {
    AWS_ACCESS_KEY_ID: WRITER.accessKey,
    AWS_SECRET_ACCESS_KEY: WRITER.secret,
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_CA_BUNDLE: front.certificate,
  }
  const input = JSON.stringify({ url, ...sent })
  return JSON.parse(await runClient('/usr/bin/python3', ['-c', PREAMBLE + script], { cwd: service.folder, env, input }))
}

test('every key is kept apart, listed as it is, and taken away with the others', async () => {
  const keys = [...ODD_KEYS, ...KEYS_OF_NO_PATH, LONGEST_KEY]
  const script = `
for key in sent['keys']:
    s3.put_object(Bucket='data', Key=key, Body=key.encode())
read = [s3.get_object(Bucket='data', Key=key)['Body'].read().decode() for key in sent['keys']]
pages = s3.get_paginator('list_objects_v2').paginate(Bucket='data', PaginationConfig={'PageSize': 4})
listed = [item['Key'] for page in pages for item in page['Contents']]
old = [item['Key'] for page in s3.get_paginator('list_objects').paginate(Bucket='data', PaginationConfig={'PageSize': 4})
    for item in page['Contents']]
gone = s3.delete_objects(Bucket='data', Delete={'Objects': [{'Key': key} for key in sent['keys']], 'Quiet': True})
left = s3.list_objects_v2(Bucket='data')['KeyCount']
print(json.dumps({'read': read, 'listed': listed, 'old': old, 'errors': gone.get('Errors', []), 'left': left}))
`
  const byBytes = keys.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
  const seen = await python(service.url, script, { keys })
  expect(seen).toEqual({ read: keys, listed: byBytes, old: byBytes, errors: [], left: 0 })
})

test('bodies with a checksum behind them, over TLS and without, and in parts', async () => {
  const script = `
body = bytes(range(256)) * 50000
seen = {}
for algorithm in ['CRC32', 'SHA1', 'SHA256']:
    key = algorithm + sent['name']
    s3.put_object(Bucket='data', Key=key, Body=io.BytesIO(body[:70000]), ChecksumAlgorithm=algorithm)
    seen[algorithm] = s3.get_object(Bucket='data', Key=key, ChecksumMode='ENABLED')['Body'].read() == body[:70000]
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
s3.upload_fileobj(io.BytesIO(body), 'data', 'parts' + sent['name'], Config=parts, ExtraArgs={'ChecksumAlgorithm': 'SHA256'})
back = io.BytesIO()
s3.download_fileobj('data', 'parts' + sent['name'], back, Config=parts)
seen['parts'] = back.getvalue() == body
seen['etag'] = s3.head_object(Bucket='data', Key='parts' + sent['name'])['ETag'][-3:]
print(json.dumps(seen))
`
  const all = { CRC32: true, SHA1: true, SHA256: true, parts: true, etag: '-3"' }
  expect(await python(service.url, script, { name: '-plain' })).toEqual(all)
  expect(await python(front.url, script, { name: '-tls' })).toEqual(all)
  expect(readFileSync(service.at('data', 'parts-tls'))).toEqual(readFileSync(service.at('data', 'parts-plain')))
})

test('errors are those of S3, and what lies in the folder is read', async () => {
  writeFiles(service.at('data'), { 'run/latest.json': '{"run": 12}' })
  const script = `
for key in ['run/latest.json']:
    s3.get_waiter('object_exists').wait(Bucket='data', Key=key, WaiterConfig={'Delay': 1, 'MaxAttempts': 15})
wrong = boto3.client('s3', endpoint_url=sent['url'], aws_secret_access_key='wrong', aws_access_key_id='${WRITER.accessKey}')
etag = s3.head_object(Bucket='data', Key='run/latest.json')['ETag']
print(json.dumps({
    'body': json.load(s3.get_object(Bucket='data', Key='run/latest.json', IfMatch=etag)['Body']),
    'absent': code(s3.get_object, Bucket='data', Key='none'),
    'bucket': code(s3.list_objects_v2, Bucket='nobucket'),
    'wrong': code(wrong.list_buckets),
    'changed': code(s3.get_object, Bucket='data', Key='run/latest.json', IfMatch='"x"'),
    'same': code(s3.get_object, Bucket='data', Key='run/latest.json', IfNoneMatch=etag),
    'range': code(s3.get_object, Bucket='data', Key='run/latest.json', Range='bytes=100-'),
    'versioning': 'Status' in s3.get_bucket_versioning(Bucket='data'),
    'location': s3.get_bucket_location(Bucket='data')['LocationConstraint'],
    'uploads': s3.list_multipart_uploads(Bucket='data').get('Uploads', []),
    'folders': [each['Prefix'] for each in s3.list_objects_v2(Bucket='data', Delimiter='/', Prefix='r')['CommonPrefixes']],
}))
`
  expect(await python(service.url, script)).toEqual({
    body: { run: 12 },
    absent: 'NoSuchKey',
    bucket: 'NoSuchBucket',
    wrong: 'SignatureDoesNotMatch',
    changed: 'PreconditionFailed',
    same: '304',
    range: 'InvalidRange',
    versioning: false,
    location: null,
    uploads: [],
    folders: ['run/'],
  })
})
