import { KEY_BYTES_MAX } from '../core/files/entry.ts'
import { S3Error, TemporaryRedirect } from '../lib/s3/errors.ts'
import { xmlDocument } from '../lib/s3/xml-write.ts'
import type { BodyOptions } from './body.ts'
import {
  aclDocument,
  createBucket,
  deleteBucket,
  getBucketProperty,
  headBucket,
  listBuckets,
  namesProperty,
} from './bucket.ts'
import { copyObject } from './copy-object.ts'
import { deleteObject, deleteObjects } from './delete-objects.ts'
import { sendXml } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { getAttributes } from './get-attributes.ts'
import { getObject } from './get-object.ts'
import { listBucket } from './list-bucket.ts'
import { abortUpload, completeUpload } from './multipart/complete.ts'
import { createUpload } from './multipart/create.ts'
import { listUploads } from './multipart/list-uploads.ts'
import { copyPart, listParts, putPart } from './multipart/parts.ts'
import type { UploadPlace } from './multipart/place.ts'
import type { FileServerOptions, ServedTree } from './options.ts'
import { putObject } from './put-object.ts'
import type { Bucket, Place, Router } from './router.ts'

export type OperationOptions = Pick<FileServerOptions, 'trees' | 'sendfile'> & BodyOptions

const LIST_PARAMETERS: ReadonlySet<string> = new Set([
  'continuation-token',
  'delimiter',
  'encoding-type',
  'fetch-owner',
  'key-marker',
  'list-type',
  'marker',
  'max-keys',
  'prefix',
  'start-after',
  'versions',
])

/** Carries out what a request asks for, which each operation allows or refuses by what the caller may do. */
export class Operations {
  readonly #options: OperationOptions
  readonly #router: Router

  constructor(options: OperationOptions, router: Router) {
    this.#options = options
    this.#router = router
  }

  /** Rejects with what is to be told as an error. */
  async carryOut(exchange: Exchange, place: Place): Promise<void> {
    const { bucket, key } = place
    if (exchange.handed !== undefined && !isWholeFile(exchange, key)) throw new S3Error('NotImplemented')
    if (bucket === undefined) return await this.#service(exchange, key)
    // What nobody has named a bucket may be read as if they had, but a mistaken bucket must not become a folder.
    if (place.isGuess && namesBucketOnly(exchange, key)) throw noBucket(key)
    const isWrittenByPath = bucket.name === this.#router.root.name && /[^/]\/+[^/]/.test(key)
    if (place.isGuess && isWrite(exchange.method) && !isWrittenByPath) throw noBucket(key)
    if (key === '') return await this.#bucket(exchange, bucket)
    return await this.#object(exchange, bucket, key)
  }

  async #service(exchange: Exchange, path: string): Promise<void> {
    const { trees } = this.#options
    if (path !== '') {
      const isBucket = /^[^/]+\/?$/.test(path)
      if (exchange.method === 'PUT' && isBucket) return await createBucket(exchange, undefined, this.#options)
      throw noBucket(path)
    }
    if (exchange.method === 'HEAD') return headBucket(exchange)
    if (exchange.method !== 'GET') throw new S3Error('MethodNotAllowed')
    const isList = exchange.target.query.some(([parameter]) => LIST_PARAMETERS.has(parameter))
    if (isList) return await listBucket(exchange, this.#router.root, trees)
    return listBuckets(exchange, trees)
  }

  async #bucket(exchange: Exchange, bucket: Bucket): Promise<void> {
    const { trees } = this.#options
    const { method } = exchange
    if (method === 'GET' || method === 'HEAD') {
      if (!maySee(exchange, bucket, trees)) throw new S3Error('AccessDenied')
      if (method === 'HEAD') return headBucket(exchange)
      if (exchange.parameter('uploads') !== undefined) return await this.#listUploads(exchange, bucket)
      if (getBucketProperty(exchange)) return undefined
      return await listBucket(exchange, bucket, trees)
    }
    if (method === 'PUT') {
      if (namesProperty(exchange)) throw new S3Error('NotImplemented')
      return await createBucket(exchange, bucket, this.#options)
    }
    if (!mayChange(exchange, bucket, trees)) throw new S3Error('AccessDenied')
    const { tree } = bucket
    if (method === 'POST' && exchange.parameter('delete') !== undefined && tree !== undefined) {
      checkWritable(exchange, tree)
      return await deleteObjects(exchange, tree, this.#options)
    }
    if (method === 'DELETE' && tree !== undefined && !namesProperty(exchange)) return deleteBucket(exchange, tree)
    throw new S3Error(method === 'POST' || method === 'DELETE' ? 'NotImplemented' : 'MethodNotAllowed')
  }

  async #listUploads(exchange: Exchange, bucket: Bucket): Promise<void> {
    if (bucket.tree === undefined) throw new S3Error('NotImplemented')
    if (exchange.caller.writable(bucket.name).length === 0) throw new S3Error('AccessDenied')
    await listUploads(exchange, bucket.name, bucket.tree)
  }

  async #object(exchange: Exchange, bucket: Bucket, shownKey: string): Promise<void> {
    if (Buffer.byteLength(shownKey) > KEY_BYTES_MAX) throw new S3Error('KeyTooLongError')
    const version = exchange.parameter('versionId')
    if (version !== undefined && version !== 'null' && version !== '') throw new S3Error('NoSuchVersion')
    const found = this.#router.resolve(bucket, shownKey)
    if (found === undefined || found.key === '') throw new S3Error('NoSuchKey', undefined, { Key: shownKey })
    const { tree, key } = found
    const uploads = (): UploadPlace => {
      if (tree.uploads === undefined) throw new S3Error('NotImplemented')
      return { bucket: bucket.name, shownKey, tree, uploads: tree.uploads, key }
    }
    if (exchange.method === 'GET' || exchange.method === 'HEAD') return await this.#read(exchange, tree, key, uploads)
    checkWritable(exchange, tree)
    if (!exchange.caller.mayWrite(tree.name, key)) throw new S3Error('AccessDenied')
    if (exchange.method === 'PUT') return await this.#put(exchange, tree, key, uploads)
    if (exchange.method === 'POST') return await this.#post(exchange, uploads)
    if (exchange.method !== 'DELETE') throw new S3Error('MethodNotAllowed')
    if (exchange.parameter('uploadId') !== undefined) return await abortUpload(exchange, uploads())
    if (exchange.parameter('tagging') !== undefined) return void exchange.response.writeHead(204).end()
    return await deleteObject(exchange, tree, key)
  }

  async #read(exchange: Exchange, tree: ServedTree, key: string, uploads: () => UploadPlace): Promise<void> {
    if (!exchange.caller.mayRead(tree.name, key)) throw new S3Error('AccessDenied')
    if (exchange.target.query.length > 0 && exchange.method === 'GET') {
      if (exchange.parameter('uploadId') !== undefined) return await listParts(exchange, uploads())
      if (exchange.parameter('attributes') !== undefined) return await getAttributes(exchange, tree, key)
      if (namesProperty(exchange)) return await readProperty(exchange, tree, key)
    }
    return await getObject(exchange, tree, key, this.#options)
  }

  async #put(exchange: Exchange, tree: ServedTree, key: string, uploads: () => UploadPlace): Promise<void> {
    if (namesProperty(exchange)) throw new S3Error('NotImplemented')
    const isCopy = exchange.header('x-amz-copy-source') !== undefined
    if (exchange.parameter('uploadId') !== undefined || exchange.parameter('partNumber') !== undefined) {
      if (isCopy) return await copyPart(exchange, uploads(), { router: this.#router, clock: this.#options.clock })
      return await putPart(exchange, uploads(), this.#options)
    }
    if (isCopy) return await copyObject(exchange, tree, key, { router: this.#router, clock: this.#options.clock })
    return await putObject(exchange, tree, key, this.#options)
  }

  async #post(exchange: Exchange, uploads: () => UploadPlace): Promise<void> {
    if (exchange.parameter('uploads') !== undefined) return await createUpload(exchange, uploads())
    if (exchange.parameter('uploadId') !== undefined) return await completeUpload(exchange, uploads(), this.#options)
    throw new S3Error('NotImplemented')
  }
}

async function readProperty(exchange: Exchange, tree: ServedTree, key: string): Promise<void> {
  if (tree.index.get(key) === undefined) throw new S3Error('NoSuchKey', undefined, { Key: key })
  if (exchange.parameter('acl') !== undefined) return sendXml(exchange, 200, aclDocument())
  if (exchange.parameter('tagging') === undefined) throw new S3Error('NotImplemented')
  return sendXml(exchange, 200, xmlDocument('Tagging', { TagSet: {} }))
}

function maySee({ caller }: Exchange, { tree }: Bucket, trees: readonly ServedTree[]): boolean {
  const looked = tree === undefined ? trees : [tree]
  return looked.some(({ name }) => caller.readable(name).length > 0)
}

function mayChange({ caller }: Exchange, { tree }: Bucket, trees: readonly ServedTree[]): boolean {
  const looked = tree === undefined ? trees : [tree]
  return looked.some(({ name }) => caller.writable(name).length > 0)
}

function checkWritable({ caller }: Exchange, tree: ServedTree): void {
  if (caller.writable(tree.name).length === 0) throw new S3Error('AccessDenied')
  if (tree.readOnly) throw new S3Error('AccessDenied', 'This tree is read-only.')
  const { leader, fedBy, outdatedBy } = tree.distribution ?? {}
  if (leader !== undefined) throw leader.url === undefined ? nobodyLeads() : new TemporaryRedirect(leader.url)
  if (fedBy !== undefined) throw new S3Error('AccessDenied', `This tree is fed by ${fedBy}: write there.`)
  if (outdatedBy !== undefined) {
    throw new S3Error('AccessDenied', `${outdatedBy} took this tree over, and has newer files: write there.`)
  }
}

function nobodyLeads(): S3Error {
  return new S3Error('ServiceUnavailable', 'None of the roots of this tree takes writes just now. Ask again.')
}

function namesBucketOnly({ target: { query } }: Exchange, key: string): boolean {
  const isOneSegment = !key.slice(0, -1).includes('/')
  return isOneSegment && query.some(([name]) => LIST_PARAMETERS.has(name) || name === 'location' || name === 'uploads')
}

function noBucket(key: string): S3Error {
  return new S3Error('NoSuchBucket', undefined, { BucketName: key.split('/')[0] ?? '' })
}

/** Whether the body is that of a file as it is, and nothing else. */
function isWholeFile(exchange: Exchange, key: string): boolean {
  const isOther = exchange.parameter('uploadId') !== undefined || exchange.parameter('partNumber') !== undefined
  const isCopy = exchange.header('x-amz-copy-source') !== undefined
  return key !== '' && !isOther && !isCopy && exchange.payload.kind !== 'chunked'
}

function isWrite(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD'
}
