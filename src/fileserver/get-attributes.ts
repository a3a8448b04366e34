import { checksumElements } from '../lib/s3/checksums.ts'
import { S3Error } from '../lib/s3/errors.ts'
import { xmlDocument, type XmlElements } from '../lib/s3/xml-write.ts'
import { sendXml } from './errors.ts'
import type { Exchange } from './exchange.ts'
import { unpackSizes } from './get-object.ts'
import { httpDate, PARTS_HEADER } from './object-headers.ts'
import type { ServedTree } from './options.ts'

/** GET `?attributes`: those that `x-amz-object-attributes` names. */
export async function getAttributes(exchange: Exchange, tree: ServedTree, key: string): Promise<void> {
  const wanted = exchange.header('x-amz-object-attributes')?.split(',') ?? []
  const names = new Set(wanted.map((name) => name.trim()).filter((name) => name !== ''))
  if (names.size === 0) throw new S3Error('InvalidArgument', 'x-amz-object-attributes names nothing')
  const file = await tree.files.open(key)
  if (file === undefined) throw new S3Error('NoSuchKey', undefined, { Key: key })
  const { entry, facts } = file
  await file.close()
  const checksum = checksumOf(facts?.headers ?? {})
  const sizes = facts?.headers?.[PARTS_HEADER]
  const document = xmlDocument('GetObjectAttributesResponse', {
    ETag: names.has('ETag') ? entry.etag : undefined,
    Checksum: names.has('Checksum') ? checksum : undefined,
    ObjectParts:
      names.has('ObjectParts') && sizes !== undefined ? { PartsCount: unpackSizes(sizes).length } : undefined,
    StorageClass: names.has('StorageClass') ? 'STANDARD' : undefined,
    ObjectSize: names.has('ObjectSize') ? entry.size : undefined,
  })
  exchange.response.setHeader('last-modified', httpDate(entry.modifiedMs))
  sendXml(exchange, 200, document)
}

function checksumOf(headers: Readonly<Record<string, string>>): XmlElements | undefined {
  const type = headers['x-amz-checksum-type']
  const elements = { ...checksumElements(headers), ...(type !== undefined && { ChecksumType: type }) }
  return Object.keys(elements).length === 0 ? undefined : elements
}
