import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import type { S3Credentials } from '../../lib/s3/sign.ts'
import { Secret } from '../../lib/secret.ts'
import { AMAZON, inRegion, type S3Location } from './location.ts'

/**
 * A location of Amazon's with the credentials and the region that the AWS command line would use; `s3://bucket` at the service of
 * `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`, if one is set. Any other location, or one with credentials of its own, as it is: what is
 * set for Amazon goes nowhere else.
 */
export async function withAwsSettings(location: S3Location, env: NodeJS.ProcessEnv, home: string): Promise<S3Location> {
  if (!location.isAws || location.credentials !== undefined) return location
  const settings = await awsSettings(env, home)
  const known = { ...location, ...settings, ...(location.region !== undefined && { region: location.region }) }
  const endpoint = env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'] ?? ''
  if (endpoint !== '' && location.endpoint === AMAZON) {
    if (!URL.canParse(endpoint)) throw new FlotillaError('CONFIG_INVALID', 'AWS_ENDPOINT_URL is no URL')
    return { ...known, endpoint: new URL(endpoint).origin, style: 'path', isAws: false }
  }
  return location.region === undefined && settings.region !== undefined ? inRegion(known, settings.region) : known
}

export interface AwsSettings {
  readonly credentials?: S3Credentials
  readonly region?: string
}

/**
 * What the AWS command line would use: `AWS_ACCESS_KEY_ID` and its like, or else the profile `AWS_PROFILE` (`default`) of
 * `~/.aws/credentials` and `~/.aws/config`. Nothing where there is neither: many buckets can be read by anybody.
 * Rejects with `CONFIG_INVALID` for half a pair of keys and for a profile that is named but not there.
 */
export async function awsSettings(env: NodeJS.ProcessEnv, home: string): Promise<AwsSettings> {
  const profile = env['AWS_PROFILE'] ?? env['AWS_DEFAULT_PROFILE']
  const [own, shared] = await Promise.all([
    readIni(env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(home, '.aws/credentials')),
    readIni(env['AWS_CONFIG_FILE'] ?? join(home, '.aws/config')),
  ])
  const name = profile ?? 'default'
  const config = { ...shared.get(name), ...shared.get(`profile ${name}`) }
  const section = { ...config, ...own.get(name) }
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? section['region']
  const fromEnvironment = pair(
    env['AWS_ACCESS_KEY_ID'],
    env['AWS_SECRET_ACCESS_KEY'],
    env['AWS_SESSION_TOKEN'],
    'the environment',
  )
  if (fromEnvironment === undefined && profile !== undefined && !own.has(name) && Object.keys(config).length === 0) {
    throw new FlotillaError('CONFIG_INVALID', `there is no AWS profile ${JSON.stringify(profile)}`)
  }
  const credentials =
    fromEnvironment ??
    pair(
      section['aws_access_key_id'],
      section['aws_secret_access_key'],
      section['aws_session_token'],
      `the profile ${name}`,
    )
  return { ...(credentials !== undefined && { credentials }), ...(region !== undefined && region !== '' && { region }) }
}

function pair(
  accessKey: string | undefined,
  secret: string | undefined,
  token: string | undefined,
  where: string,
): S3Credentials | undefined {
  const [hasKey, hasSecret] = [(accessKey ?? '') !== '', (secret ?? '') !== '']
  if (hasKey !== hasSecret) {
    throw new FlotillaError('CONFIG_INVALID', `${where} has only half of a pair of AWS keys`, {
      hint: 'Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither.',
    })
  }
  if (accessKey === undefined || secret === undefined || !hasKey) return undefined
  const sessionToken = token === undefined || token === '' ? undefined : new Secret(token)
  return { accessKey, secret: new Secret(secret), ...(sessionToken !== undefined && { sessionToken }) }
}

/** Sections of `[name]` and `key = value`; a file that is not there has none. */
async function readIni(path: string): Promise<ReadonlyMap<string, Readonly<Record<string, string>>>> {
  const sections = new Map<string, Record<string, string>>()
  let current: Record<string, string> = {}
  for (const line of (await read(path)).split(/\r?\n/)) {
    const name = /^\s*\[\s*([^\]]+?)\s*\]/.exec(line)?.[1]
    if (name !== undefined) {
      current = sections.get(name) ?? {}
      sections.set(name, current)
      continue
    }
    // Lines that are set in belong to settings of settings.
    const [, key, value] = /^([^\s#;=][^=]*?)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (key !== undefined && value !== undefined) current[key.toLowerCase()] = value
  }
  return sections
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return ''
    throw new FlotillaError('CONFIG_INVALID', `${path} cannot be read: ${code}`, { cause: error })
  }
}
