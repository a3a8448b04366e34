import { readFileSync, statSync } from 'node:fs'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Client, CopyDestinationOptions, CopySourceOptions } from 'minio'
import { afterAll, beforeAll, expect, vi } from 'vitest'
import { startFileService, WRITER, type FileService } from '../helpers/file-service.ts'
import { writeFiles } from '../helpers/folder.ts'
import { needs } from '../helpers/needs.ts'
import { md5, noise, ODD_KEYS, openTlsFront, type TlsFront } from '../helpers/s3-clients.ts'

/** MinIO's client for JavaScript against a file service, over plain HTTP and over TLS. */

// Real processes, of which some begin slowly.
vi.setConfig({ testTimeout: 90_000 })
const test = await needs({ tools: ['openssl'] })
const LARGE = noise(12 * 1024 * 1024 + 1, 5)
let service: FileService
let front: TlsFront

beforeAll(async () => {
  service = await startFileService({ trees: ['data', 'other'] })
  front = await openTlsFront(service.url, service.folder)
})

afterAll(async () => {
  await front?.close()
  await service?.stop()
})

function clientAt(url: string): Client {
  const { hostname, port, protocol } = new URL(url)
  const isSecure = protocol === 'https:'
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: isSecure,
    accessKey: WRITER.accessKey,
    secretKey: WRITER.secret,
    partSize: 5 * 1024 * 1024,
    ...(isSecure && { transportAgent: new Agent({ ca: readFileSync(front.certificate) }) }),
  })
  return client
}

async function keys(client: Client, bucket: string, prefix: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { name } of client.listObjectsV2(bucket, prefix, true)) found.push(name as string)
  return found
}

test('objects go up and come down, over HTTP and TLS', async () => {
  for (const [name, client] of [
    ['plain', clientAt(service.url)],
    ['secure', clientAt(front.url)],
  ] as const) {
    for (const key of ODD_KEYS) await client.putObject('data', `${name}/${key}`, `content of ${key}`)
    for (const key of ODD_KEYS) {
      expect(await text(await client.getObject('data', `${name}/${key}`))).toBe(`content of ${key}`)
    }
    expect((await keys(client, 'data', `${name}/`)).toSorted()).toEqual(
      ODD_KEYS.map((key) => `${name}/${key}`).toSorted(),
    )
    expect(await text(await client.getPartialObject('data', `${name}/plain.txt`, 8, 2))).toBe('of')

    await client.putObject('data', `${name}/large`, LARGE, LARGE.length, { 'x-amz-meta-run': '12z' })
    expect(md5(readFileSync(service.at('data', `${name}/large`)))).toBe(md5(LARGE))
    const stat = await client.statObject('data', `${name}/large`)
    expect(stat).toMatchObject({ size: LARGE.length, metaData: { run: '12z' } })
    await client.fGetObject('data', `${name}/large`, join(service.folder, 'large'))
    expect(statSync(join(service.folder, 'large')).size).toBe(LARGE.length)

    await client.removeObjects('data', await keys(client, 'data', `${name}/`).then((all) => [...all]))
    expect(await keys(client, 'data', `${name}/`)).toEqual([])
  }
})

test('buckets, copies, signed URLs and what is not there', async () => {
  const client = clientAt(service.url)
  expect((await client.listBuckets()).map(({ name }) => name)).toEqual(['data', 'other'])
  expect(await client.bucketExists('none')).toBe(false)
  await client.putObject('data', 'one two.txt', 'to be copied')
  await client.copyObject(
    new CopySourceOptions({ Bucket: 'data', Object: 'one two.txt' }),
    new CopyDestinationOptions({ Bucket: 'other', Object: 'copy+1.txt' }),
  )
  expect(readFileSync(service.at('other', 'copy+1.txt'), 'utf8')).toBe('to be copied')
  const url = await client.presignedGetObject('other', 'copy+1.txt', 60)
  expect(await (await fetch(url)).text()).toBe('to be copied')
  await client.removeObject('data', 'one two.txt')
  await expect(client.statObject('data', 'one two.txt')).rejects.toMatchObject({ code: 'NotFound' })
  writeFiles(service.at('data'), { 'run/chunk_1.om': 'from elsewhere' })
  await expect.poll(async () => await keys(client, 'data', 'run/'), { timeout: 30_000 }).toEqual(['run/chunk_1.om'])
})
