import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../lib/secret.ts'
import { awsSettings, withAwsSettings } from './aws-settings.ts'
import { parseS3Url } from './location.ts'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'flotilla-aws-'))
  mkdirSync(join(home, '.aws'))
})
afterEach(() => rmSync(home, { recursive: true }))

const write = (name: string, text: string): void => writeFileSync(join(home, '.aws', name), text)

async function settings(env: NodeJS.ProcessEnv) {
  const { credentials, region } = await awsSettings(env, home)
  const { accessKey, secret, sessionToken } = credentials ?? {}
  return { accessKey, secret: secret?.reveal(), token: sessionToken?.reveal(), region }
}

describe('what AWS tools have set', () => {
  it('is nothing where nothing is set', async () => {
    expect(await awsSettings({}, home)).toEqual({})
  })

  it('comes from the environment first', async () => {
    write('credentials', '[default]\naws_access_key_id = A\naws_secret_access_key = B\n')
    const env = { AWS_ACCESS_KEY_ID: 'K', AWS_SECRET_ACCESS_KEY: 'S', AWS_SESSION_TOKEN: 'T', AWS_REGION: 'r' }
    expect(await settings(env)).toEqual({ accessKey: 'K', secret: 'S', token: 'T', region: 'r' })
  })

  it('comes from the profile that is named, or else from the default', async () => {
    write(
      'credentials',
      '# c\n[default]\r\naws_access_key_id = A\r\naws_secret_access_key = B=C\r\n[ other ]\naws_access_key_id=D\naws_secret_access_key=E\n',
    )
    write('config', '[default]\nregion = x\n[profile other]\nregion = y\ns3 =\n  addressing_style = path\n')
    expect(await settings({})).toEqual({ accessKey: 'A', secret: 'B=C', region: 'x' })
    expect(await settings({ AWS_PROFILE: 'other' })).toEqual({ accessKey: 'D', secret: 'E', region: 'y' })
    await expect(settings({ AWS_PROFILE: 'none' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('is refused where it is only half there', async () => {
    await expect(settings({ AWS_ACCESS_KEY_ID: 'K' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    write('credentials', '[default]\naws_secret_access_key = geheim\n')
    await expect(settings({})).rejects.toThrow(/^(?!.*geheim)/)
  })
})

describe('a location of Amazon', () => {
  const env = { AWS_ACCESS_KEY_ID: 'K', AWS_SECRET_ACCESS_KEY: 'S', AWS_REGION: 'eu-west-1' }
  const complete = async (url: string, more: NodeJS.ProcessEnv = {}) =>
    await withAwsSettings(parseS3Url(url), { ...env, ...more }, home)

  it('takes over what AWS tools have set', async () => {
    const { endpoint, region, credentials } = await complete('s3://bucket/a')
    expect([endpoint, region, credentials?.accessKey]).toEqual(['https://s3.eu-west-1.amazonaws.com', 'eu-west-1', 'K'])
    const other = await complete('https://b.s3.us-west-2.amazonaws.com/')
    expect([other.endpoint, other.region]).toEqual(['https://s3.us-west-2.amazonaws.com', 'us-west-2'])
  })

  it('is another service where the environment says so', async () => {
    const more = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000/' }
    expect(await complete('s3://bucket/a', more)).toMatchObject({
      endpoint: 'http://127.0.0.1:9000',
      style: 'path',
      isAws: false,
      prefix: 'a/',
    })
    expect((await complete('https://b.s3.us-west-2.amazonaws.com/', more)).isAws).toBe(true)
    await expect(complete('s3://bucket', { AWS_ENDPOINT_URL: 'x' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('is another service also with given credentials, and where the profile says so, unless that is to be ignored', async () => {
    const more = { AWS_ENDPOINT_URL_S3: '', AWS_ENDPOINT_URL: 'http://127.0.0.1:9000' }
    const given = { ...parseS3Url('s3://bucket/a'), credentials: { accessKey: 'X', secret: new Secret('Y') } }
    const half = { ...env, AWS_SECRET_ACCESS_KEY: '' }
    const located = await withAwsSettings(given, { ...half, ...more }, home)
    expect([located.endpoint, located.credentials?.accessKey]).toEqual(['http://127.0.0.1:9000', 'X'])
    write('config', '[default]\nendpoint_url = https://s3.example.org\n')
    expect((await complete('s3://bucket')).endpoint).toBe('https://s3.example.org')
    expect((await complete('s3://bucket', more)).endpoint).toBe('http://127.0.0.1:9000')
    expect((await complete('s3://bucket', { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' })).isAws).toBe(true)
  })

  it('is the only one: nothing goes elsewhere, or in place of what was given', async () => {
    expect((await complete('http://127.0.0.1:9000/bucket')).credentials).toBeUndefined()
    expect((await complete('https://K:S@s3.amazonaws.com.evil.com/b')).credentials?.accessKey).toBe('K')
    expect((await complete('https://s3.amazonaws.com.evil.com/b')).credentials).toBeUndefined()
    expect((await complete('https://X:Y@s3.amazonaws.com/b')).credentials?.accessKey).toBe('X')
  })
})
