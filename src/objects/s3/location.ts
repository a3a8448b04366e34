import { FlotillaError } from '../../core/errors.ts'
import type { S3Credentials } from '../../lib/s3/sign.ts'
import { Secret } from '../../lib/secret.ts'

/** Where a bucket of any region can be asked for. */
export const AMAZON = 'https://s3.amazonaws.com'

/** Where a tree lies in an S3 service. */
export interface S3Location {
  /** `https://host:port`, without a path. In virtual-host style without the bucket. */
  readonly endpoint: string
  /** Empty: what the service shows at its root. */
  readonly bucket: string
  /** Empty, or a folder that ends with a slash: keys are told from there. */
  readonly prefix: string
  /** Whether the bucket stands in the path or in the name of the host. */
  readonly style: 'path' | 'virtual'
  /** Amazon's own service, where the region is part of the host's name and can be asked for. */
  readonly isAws: boolean
  readonly region?: string | undefined
  readonly credentials?: S3Credentials | undefined
  /** Sent as `apikey=` with every request, as Open-Meteo has it. */
  readonly apikey?: Secret | undefined
}

/**
 * Takes `s3://bucket/prefix` (Amazon), `s3://KEY:SECRET@host/bucket/prefix` as Open-Meteo writes it, `s3://host:port/bucket/prefix`,
 * `http(s)://host:port/bucket/prefix`, and the names that Amazon gives to buckets, such as `https://bucket.s3.amazonaws.com/prefix`;
 * each with `?region=` and `?apikey=`. A prefix is a folder. Throws `USAGE`, without repeating a secret.
 */
export function parseS3Url(text: string): S3Location {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['s3:', 'http:', 'https:'].includes(url.protocol) || url.host === '') throw usage()
  const known = new Set(['region', 'apikey'])
  for (const name of url.searchParams.keys()) {
    if (!known.has(name)) throw usage(`it has a parameter ${JSON.stringify(name)} that means nothing here`)
  }
  if (url.hash !== '') throw usage('it has a #; write %23 where it belongs to a name')
  const apikey = url.searchParams.get('apikey')
  const credentials = credentialsIn(url)
  return {
    ...(url.protocol === 's3:' && credentials === undefined && url.port === '' ? amazon(url) : located(url)),
    ...(url.searchParams.has('region') && { region: url.searchParams.get('region') ?? '' }),
    ...(credentials !== undefined && { credentials }),
    ...(apikey !== null && { apikey: new Secret(apikey) }),
  }
}

/** A location of Amazon that has been found to be in that region; any other stays what it is. */
export function inRegion(location: S3Location, region: string): S3Location {
  if (!location.isAws || !/^[a-z0-9-]{1,40}$/.test(region)) return location
  const domain = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
  return { ...location, region, endpoint: `https://s3.${region}.${domain}` }
}

type Place = Pick<S3Location, 'endpoint' | 'bucket' | 'prefix' | 'style' | 'isAws' | 'region'>

function amazon(url: URL): Place {
  const bucket = decodeURIComponent(url.hostname)
  const prefix = folder(decoded(url.pathname.slice(1)))
  // The certificate of the service covers one label.
  const style = bucket.includes('.') ? 'path' : 'virtual'
  return { endpoint: AMAZON, bucket, prefix, style, isAws: true }
}

const AMAZON_HOST = /^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d))?\.(amazonaws\.com(?:\.cn)?)$/

function located(url: URL): Place {
  const [, bucketOfHost, region, domain] = AMAZON_HOST.exec(url.hostname) ?? []
  const regionOf = region === undefined ? {} : { region }
  const protocol = url.protocol === 's3:' ? (isLocal(url.hostname) ? 'http:' : 'https:') : url.protocol
  const path = decoded(url.pathname.slice(1))
  if (domain !== undefined && bucketOfHost !== undefined) {
    const endpoint = `${protocol}//${url.host.slice(bucketOfHost.length + 1)}`
    return { endpoint, bucket: bucketOfHost, prefix: folder(path), style: 'virtual', isAws: true, ...regionOf }
  }
  const slash = path.indexOf('/')
  return {
    endpoint: `${protocol}//${url.host}`,
    bucket: slash === -1 ? path : path.slice(0, slash),
    prefix: slash === -1 ? '' : folder(path.slice(slash + 1)),
    style: 'path',
    isAws: domain !== undefined,
    ...regionOf,
  }
}

function credentialsIn(url: URL): S3Credentials | undefined {
  if (url.username === '' && url.password === '') return undefined
  if (url.username === '' || url.password === '') throw usage('credentials are KEY:SECRET, both of them')
  return { accessKey: decoded(url.username), secret: new Secret(decoded(url.password)) }
}

function isLocal(host: string): boolean {
  return host === '127.0.0.1' || host === 'localhost' || host === '[::1]'
}

function folder(prefix: string): string {
  return prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw usage('its percent signs encode nothing; write %25 for one')
  }
}

function usage(why?: string): FlotillaError {
  return new FlotillaError('USAGE', `that is no address of an S3 service${why === undefined ? '' : `: ${why}`}`, {
    hint: 'The forms are s3://bucket/prefix, https://host:port/bucket/prefix and s3://KEY:SECRET@host/bucket/prefix.',
  })
}
