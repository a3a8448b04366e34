import { execFileSync } from 'node:child_process'
import { describe, expect } from 'vitest'
import { needs } from '../../../test/helpers/needs.ts'
import { Secret } from '../secret.ts'
import { S3Error } from './errors.ts'
import { SignatureVerifier } from './sigv4.ts'
import { parseTarget } from './target.ts'

const test = await needs({ tools: ['boto3'] })

/** Prints what botocore, on which the AWS command line is built, would send for each of these, signed in each of its ways. */
const PROGRAM = `
import json, sys
import boto3
from botocore.config import Config
from urllib.parse import urlsplit

def connect(**more):
    return boto3.client('s3', endpoint_url='http://host:9000', region_name='eu-west-1', aws_access_key_id='AK', aws_secret_access_key='sec/ret+x', **more)

client = connect()
presigning = [connect(config=Config(signature_version=version)) for version in ('s3v4', 's3')]
sent = []

def keep(request, **_):
    url = urlsplit(request.url)
    headers = {name.lower(): value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
    headers.setdefault('host', url.netloc)
    sent.append({'method': request.method, 'url': url.path + ('?' + url.query if url.query else ''), 'headers': headers})
    raise KeyboardInterrupt

client.meta.events.register('before-send.s3', keep)

def call(name, **arguments):
    try:
        getattr(client, name)(Bucket='bucket', **arguments)
    except KeyboardInterrupt:
        pass

for key in json.load(sys.stdin):
    call('get_object', Key=key, Range='bytes=0-5', IfMatch='"e"')
    call('put_object', Key=key, Body=b'content', Metadata={'mtime': '1  2', 'x': 'y'}, ContentType='text/plain')
    call('list_objects_v2', Prefix=key, Delimiter='/', StartAfter=key)
    for other in presigning:
        for name, arguments in (('get_object', {'ResponseContentDisposition': 'attachment; filename="\\u00fc"'}), ('put_object', {'ContentType': 'a/b'})):
            url = urlsplit(other.generate_presigned_url(name, Params={'Bucket': 'bucket', 'Key': key, **arguments}, ExpiresIn=600))
            headers = {'host': url.netloc}
            if name == 'put_object': headers['content-type'] = 'a/b'
            sent.append({'method': name[:3].upper(), 'url': url.path + '?' + url.query, 'headers': headers})
print(json.dumps(sent))
`

interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
}

const KEYS = ['plain', 'a b+c', 'a%2Fb', "ü/東京/🌊 !'()*", 'a//b', 'a/../b', './a', '/lead', 'q?x=y&z#f', '~-._:@,;=$']

const verifier = new SignatureVerifier((key) => (key === 'AK' ? new Secret('sec/ret+x') : undefined))

function outcome({ method, url, headers }: Sent): string {
  try {
    return verifier.verify({ method, target: parseTarget(url), headers, nowMs: Date.now() })?.accessKey ?? 'none'
  } catch (error) {
    return error instanceof S3Error ? error.code : String(error)
  }
}

describe('what botocore signs', () => {
  test('holds as it is, and not once it is another', { timeout: 60_000 }, () => {
    const printed = execFileSync('/usr/bin/python3', ['-c', PROGRAM], { input: JSON.stringify(KEYS), encoding: 'utf8' })
    const all = JSON.parse(printed) as Sent[]
    expect(all).toHaveLength(KEYS.length * 7)
    for (const sent of all) {
      expect([sent, outcome(sent)]).toEqual([sent, 'AK'])
      for (const other of [
        { ...sent, method: 'DELETE' },
        { ...sent, url: sent.url.replace('/bucket', '/bucketx') },
        { ...sent, url: sent.url.replace('Expires=', 'Expires=1') },
        { ...sent, url: sent.url.includes('?') ? `${sent.url}&versionId=x` : `${sent.url}?versionId=x` },
        { ...sent, headers: { ...sent.headers, 'x-amz-copy-source': 'a' } },
      ]) {
        if (other.url !== sent.url || other.method !== sent.method || other.headers !== sent.headers) {
          expect([other, outcome(other)]).not.toEqual([other, 'AK'])
        }
      }
    }
  })
})
