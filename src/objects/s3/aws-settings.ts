import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import type { S3Credentials } from '../../lib/s3/sign.ts'
import { Secret } from '../../lib/secret.ts'
import { AMAZON, inRegion, type S3Location } from './location.ts'

/**
 * A location of Amazon's with the credentials, unless it has its own, and the region that the AWS command line would use; `s3://bucket`
 * at the service that is set for it, if one is. Any other location as it is: what is set for Amazon goes nowhere else.
 */
export async function withAwsSettings(location: S3Location, env: NodeJS.ProcessEnv, home: string): Promise<S3Location> {
  if (!location.isAws) return location
  const { endpoint, ...found } = await awsSettings(env, home, location.credentials)
  const region = location.region ?? found.region
  const known = { ...location, ...found, region }
  if (endpoint !== undefined && location.endpoint === AMAZON) {
    return { ...known, endpoint, style: 'path', isAws: false }
  }
  return location.region === undefined && region !== undefined ? inRegion(known, region) : known
}

export interface AwsSettings {
  readonly credentials?: S3Credentials
  readonly region?: string
  /** Of a service in Amazon's place: `https://host:port`. */
  readonly endpoint?: string
}

/**
 * What the AWS command line would use: `AWS_ACCESS_KEY_ID` and its like, or else the profile `AWS_PROFILE` (`default`) of
 * `~/.aws/credentials` and `~/.aws/config`. Nothing where there is neither: many buckets can be read by anybody. The service is that of
 * `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` or `endpoint_url` of the profile, unless `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` is `true`.
 * Looks for no credentials where there are `given` ones. Rejects with `CONFIG_INVALID` for half a pair of keys, for a profile that is
 * named but not there, and for a service that is no URL.
 */
export async function awsSettings(env: NodeJS.ProcessEnv, home: string, given?: S3Credentials): Promise<AwsSettings> {
  const profile = env['AWS_PROFILE'] ?? env['AWS_DEFAULT_PROFILE']
  const [own, shared] = await Promise.all([
    readIni(env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(home, '.aws/credentials')),
    readIni(env['AWS_CONFIG_FILE'] ?? join(home, '.aws/config')),
  ])
  const name = profile ?? 'default'
  const config = { ...shared.get(name), ...shared.get(`profile ${name}`) }
  const section = { ...config, ...own.get(name) }
  const region = env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'] ?? section['region']
  const endpoint = endpointOf([env['AWS_ENDPOINT_URL_S3'], env['AWS_ENDPOINT_URL'], section['endpoint_url']], env)
  const fromEnvironment = given ?? credentialsOf(env, AS_VARIABLES, 'the environment')
  if (fromEnvironment === undefined && profile !== undefined && !own.has(name) && Object.keys(config).length === 0) {
    throw new FlotillaError('CONFIG_INVALID', `there is no AWS profile ${JSON.stringify(profile)}`)
  }
  const credentials = fromEnvironment ?? credentialsOf(section, AS_SETTINGS, `the profile ${name}`)
  return {
    ...(credentials !== undefined && { credentials }),
    ...(region !== undefined && region !== '' && { region }),
    ...(endpoint !== undefined && { endpoint }),
  }
}

/** The first that is set. */
function endpointOf(set: readonly (string | undefined)[], env: NodeJS.ProcessEnv): string | undefined {
  const text = set.find((one) => one !== undefined && one !== '')
  if (text === undefined || env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true') return undefined
  const { protocol, origin } = URL.canParse(text) ? new URL(text) : { protocol: '', origin: '' }
  if (protocol === 'http:' || protocol === 'https:') return origin
  throw new FlotillaError('CONFIG_INVALID', 'what AWS tools have set as the URL of the service is no http URL', {
    hint: 'Look at AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, and endpoint_url in ~/.aws/config.',
  })
}

const AS_VARIABLES = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'] as const
const AS_SETTINGS = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'] as const

function credentialsOf(
  from: Readonly<Record<string, string | undefined>>,
  [key, secretKey, tokenKey]: typeof AS_VARIABLES | typeof AS_SETTINGS,
  where: string,
): S3Credentials | undefined {
  const [accessKey = '', secret = '', token = ''] = [from[key], from[secretKey], from[tokenKey]]
  if ((accessKey === '') !== (secret === '')) {
    throw new FlotillaError('CONFIG_INVALID', `${where} has only half of a pair of AWS keys`, {
      hint: 'Set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither.',
    })
  }
  if (accessKey === '') return undefined
  return { accessKey, secret: new Secret(secret), ...(token !== '' && { sessionToken: new Secret(token) }) }
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
