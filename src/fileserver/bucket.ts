import { type S3Code, S3Error } from '../lib/s3/errors.ts'
import { readCreateBucketConfiguration } from '../lib/s3/xml-read.ts'
import { xmlDocument } from '../lib/s3/xml-write.ts'
import type { BodyOptions } from './body.ts'
import { readSmallBody } from './body.ts'
import { sendXml } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { ServedTree } from './options.ts'
import type { Bucket } from './router.ts'

const REGION = 'us-east-1'
const OWNER = { ID: 'flotilla', DisplayName: 'flotilla' }
const EPOCH = '2020-01-01T00:00:00.000Z'
const BODY_BYTES_MAX = 64 * 1024

/** GET `/`: the trees that the caller may do anything with. */
export function listBuckets(exchange: Exchange, trees: readonly ServedTree[]): void {
  const { caller } = exchange
  const names = trees.map(({ name }) => name).filter((name) => caller.readable(name).length > 0)
  if (names.length === 0) throw new S3Error('AccessDenied')
  const Bucket = names.toSorted().map((Name) => ({ Name, CreationDate: EPOCH }))
  sendXml(exchange, 200, xmlDocument('ListAllMyBucketsResult', { Owner: OWNER, Buckets: { Bucket } }))
}

export function headBucket({ response, requestId }: Exchange): void {
  response.writeHead(200, { 'x-amz-bucket-region': REGION, 'content-length': 0, 'x-amz-request-id': requestId }).end()
}

/** PUT of a bucket. They are what the configuration says, so only one that is there already can be made. */
export async function createBucket(
  exchange: Exchange,
  bucket: Bucket | undefined,
  options: BodyOptions,
): Promise<void> {
  if (hasBody(exchange)) readCreateBucketConfiguration(await readSmallBody(exchange, options, BODY_BYTES_MAX))
  if (bucket?.tree === undefined) {
    throw new S3Error('AccessDenied', 'Buckets are the trees of the configuration; they cannot be made from here.')
  }
  if (exchange.caller.writable(bucket.name).length === 0) throw new S3Error('AccessDenied')
  const { response, requestId } = exchange
  response.writeHead(200, { location: `/${bucket.name}`, 'content-length': 0, 'x-amz-request-id': requestId }).end()
}

export function deleteBucket({ caller }: Exchange, tree: ServedTree): never {
  if (caller.writable(tree.name).length === 0) throw new S3Error('AccessDenied')
  if (tree.index.page({ prefix: '', after: '', limit: 1 }).length > 0) throw new S3Error('BucketNotEmpty')
  throw new S3Error('AccessDenied', 'Buckets are the trees of the configuration; they cannot be removed from here.')
}

/** What a bucket has none of, by the parameter that asks for it. */
const NONE: Readonly<Record<string, S3Code>> = {
  policy: 'NoSuchBucketPolicy',
  policyStatus: 'NoSuchBucketPolicy',
  cors: 'NoSuchCORSConfiguration',
  lifecycle: 'NoSuchLifecycleConfiguration',
  tagging: 'NoSuchTagSet',
  website: 'NoSuchWebsiteConfiguration',
  encryption: 'ServerSideEncryptionConfigurationNotFoundError',
  replication: 'ReplicationConfigurationNotFoundError',
  'object-lock': 'ObjectLockConfigurationNotFoundError',
  publicAccessBlock: 'NoSuchPublicAccessBlockConfiguration',
  ownershipControls: 'OwnershipControlsNotFoundError',
}

/** What a bucket is, by the parameter that asks for it: the root of a document and what is in it. */
const DOCUMENTS: Readonly<Record<string, string>> = {
  location: xmlDocument('LocationConstraint', {}),
  versioning: xmlDocument('VersioningConfiguration', {}),
  logging: xmlDocument('BucketLoggingStatus', {}),
  notification: xmlDocument('NotificationConfiguration', {}),
  requestPayment: xmlDocument('RequestPaymentConfiguration', { Payer: 'BucketOwner' }),
  accelerate: xmlDocument('AccelerateConfiguration', {}),
}

const NOT_THERE: ReadonlySet<string> = new Set(['analytics', 'intelligent-tiering', 'inventory', 'metrics'])

/** Everything but listings: false where the query asks for none of it. */
export function getBucketProperty(exchange: Exchange): boolean {
  for (const [name] of exchange.target.query) {
    const document = Object.hasOwn(DOCUMENTS, name) ? DOCUMENTS[name] : undefined
    const none = Object.hasOwn(NONE, name) ? NONE[name] : undefined
    if (none !== undefined) throw new S3Error(none)
    if (NOT_THERE.has(name)) throw new S3Error('NotImplemented')
    if (document === undefined && name !== 'acl') continue
    sendXml(exchange, 200, document ?? aclDocument())
    return true
  }
  return false
}

/** Whether the query names a part of a bucket or of a file that is not the bucket or the file itself. */
export function namesProperty({ target: { query } }: Exchange): boolean {
  return query.some(
    ([name]) => Object.hasOwn(NONE, name) || Object.hasOwn(DOCUMENTS, name) || NOT_THERE.has(name) || OTHERS.has(name),
  )
}

const OTHERS: ReadonlySet<string> = new Set(['acl', 'legal-hold', 'restore', 'retention', 'select', 'torrent'])

/** Whoever may use a bucket may use all that their scope says: there are no lists of access beside. */
export function aclDocument(): string {
  const everything = xmlDocument('AccessControlPolicy', {
    Owner: OWNER,
    AccessControlList: { Grant: { Grantee: OWNER, Permission: 'FULL_CONTROL' } },
  })
  const type = '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
  return everything.replace('<Grantee>', type)
}

function hasBody({ request: { headers } }: Exchange): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
