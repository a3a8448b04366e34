import { describe, expect, it } from 'vitest'
import { inRegion, parseS3Url } from './location.ts'

describe('the address of a bucket', () => {
  it.each([
    ['s3://bucket', 'https://s3.amazonaws.com', 'bucket', '', 'virtual'],
    ['s3://bucket/a/b', 'https://s3.amazonaws.com', 'bucket', 'a/b/', 'virtual'],
    ['s3://my.bucket/a/', 'https://s3.amazonaws.com', 'my.bucket', 'a/', 'path'],
    ['https://openmeteo.s3.amazonaws.com/', 'https://s3.amazonaws.com', 'openmeteo', '', 'virtual'],
    ['https://a.b.s3.us-west-2.amazonaws.com/x%20y/', 'https://s3.us-west-2.amazonaws.com', 'a.b', 'x y/', 'virtual'],
    ['https://b.s3-eu-west-1.amazonaws.com/', 'https://s3-eu-west-1.amazonaws.com', 'b', '', 'virtual'],
    [
      'https://b.s3.dualstack.eu-west-1.amazonaws.com',
      'https://s3.dualstack.eu-west-1.amazonaws.com',
      'b',
      '',
      'virtual',
    ],
    ['https://s3.eu-west-1.amazonaws.com/b/p', 'https://s3.eu-west-1.amazonaws.com', 'b', 'p/', 'path'],
    ['http://127.0.0.1:9000/b/ü+%2B%25/', 'http://127.0.0.1:9000', 'b', 'ü++%/', 'path'],
    ['https://minio.example.org/b', 'https://minio.example.org', 'b', '', 'path'],
    ['http://[::1]:9000/', 'http://[::1]:9000', '', '', 'path'],
    ['s3://K:S@s3.open-meteo.com/openmeteo/', 'https://s3.open-meteo.com', 'openmeteo', '', 'path'],
    ['s3://K:S@127.0.0.1:7480/openmeteo/data', 'http://127.0.0.1:7480', 'openmeteo', 'data/', 'path'],
  ])('%s', (url, endpoint, bucket, prefix, style) => {
    expect(parseS3Url(url)).toMatchObject({ endpoint, bucket, prefix, style })
  })

  it('knows the regions of Amazon, and is moved to another of them only there', () => {
    expect(parseS3Url('https://b.s3.us-west-2.amazonaws.com/').region).toBe('us-west-2')
    expect(parseS3Url('http://h/b?region=garage').region).toBe('garage')
    expect(inRegion(parseS3Url('s3://b'), 'eu-central-1').endpoint).toBe('https://s3.eu-central-1.amazonaws.com')
    expect(inRegion(parseS3Url('s3://b'), 'cn-north-1').endpoint).toBe('https://s3.cn-north-1.amazonaws.com.cn')
    expect(inRegion(parseS3Url('s3://b'), 'evil.com/').endpoint).toBe('https://s3.amazonaws.com')
    expect(inRegion(parseS3Url('http://h/b'), 'eu-central-1').endpoint).toBe('http://h')
    for (const host of [
      's3.amazonaws.com.evil.com',
      'evils3.amazonaws.com',
      's3amazonaws.com',
      's3.evil.amazonaws.com',
    ]) {
      expect(parseS3Url(`https://${host}/b`).isAws).toBe(false)
    }
  })

  it('may hold credentials and a key, which are kept secret', () => {
    const location = parseS3Url('s3://my%2Fkey:se%2Fcret@host/b?apikey=k%26y')
    expect(location.credentials?.accessKey).toBe('my/key')
    expect(location.credentials?.secret.reveal()).toBe('se/cret')
    expect(location.apikey?.reveal()).toBe('k&y')
    expect(JSON.stringify(location)).not.toMatch(/se.cret|k&y/)
  })

  it('is refused where it is none, without telling what is secret', () => {
    for (const url of [
      '',
      'bucket',
      'ftp://h/b',
      's3://',
      'http://h/b?x=y',
      'http://h/b#c',
      'http://h/%zz',
      's3://K:@h/b',
      's3://K@h/b',
    ]) {
      expect(() => parseS3Url(url)).toThrow(expect.objectContaining({ code: 'USAGE' }))
    }
    for (const url of ['s3://K:geheim@h/b?x=y', 's3://K:geheim@h/%zz', 's3://:geheim@h/b']) {
      expect(() => parseS3Url(url)).not.toThrow('geheim')
      expect(() => parseS3Url(url)).toThrow(expect.objectContaining({ code: 'USAGE' }))
    }
  })
})

it('takes a name with a port for a host: buckets have none', () => {
  const { endpoint, bucket, prefix, isAws } = parseS3Url('s3://127.0.0.1:9000/bucket/folder')
  expect({ endpoint, bucket, prefix, isAws }).toEqual({
    endpoint: 'http://127.0.0.1:9000',
    bucket: 'bucket',
    prefix: 'folder/',
    isAws: false,
  })
})
