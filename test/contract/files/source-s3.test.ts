import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import type { FileSource } from '../../../src/core/files/source.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { systemClock } from '../../../src/lib/system-clock.ts'
import { parseS3Url } from '../../../src/objects/s3/location.ts'
import { openS3Source, type S3SourceOptions } from '../../../src/objects/s3/s3-source.ts'
import { collect } from '../../helpers/collect.ts'
import { memoryTree, openFileServer } from '../../helpers/file-server.ts'
import { fileSourceContract, ODD_KEYS, type TestSource } from './source.ts'

type Files = Readonly<Record<string, string | Uint8Array>>

const BASE = 'in a/folder+ü/'
const SECRET = { accessKey: 'AK', secret: new Secret('sec/ret+x') }

/** A folder of a bucket to which only signed requests have access, with something on both sides of it. */
async function served(files: Files, modifiedMs: number, more: Partial<S3SourceOptions>): Promise<TestSource> {
  const tree = memoryTree('bucket', { 'in a/folder': 'x', 'in a/folder+ü0': 'x', a: 'x', z: 'x' })
  for (const [key, content] of Object.entries(files)) tree.index.write(BASE + key, content, modifiedMs)
  const { url } = await openFileServer({ trees: [tree], credentials: 'AK:sec/ret+x read' })
  const location = parseS3Url(`${url}/bucket/${encodeURIComponent(BASE)}`)
  const source: FileSource = openS3Source({ ...location, credentials: SECRET, clock: systemClock, ...more })
  onTestFinished(async () => source.close())
  return {
    source,
    write: async (key, content, at) => void tree.index.write(BASE + key, content, at),
    remove: async (key) => void tree.index.delete(BASE + key),
  }
}

fileSourceContract('a folder of a bucket, signed', { keys: 'any', listsAll: true }, (files, modifiedMs) =>
  served(files, modifiedMs, { region: 'eu-west-1' }),
)

fileSourceContract('a bucket listed in pieces', { keys: 'any', listsAll: true }, (files, modifiedMs) =>
  served(files, modifiedMs, { slowMs: 0 }),
)

test('whole files of a bucket come at once, whatever their keys', async () => {
  const files = Object.fromEntries(ODD_KEYS.map((key, index) => [key, `content ${index}`]))
  const { source, write, remove } = await served(files, 1_790_000_000_000, {})
  const entries = (await collect(source.list({}))).flat()
  for (const entry of entries) {
    const whole = await source.whole?.(entry)
    expect(String(whole)).toBe(files[entry.key])
    expect(await buffer(await source.open(entry))).toEqual(Buffer.from(whole ?? []))
  }
  const [first, second] = entries
  if (first === undefined || second === undefined) throw new Error('nothing is listed')
  await write(first.key, 'another', 1_790_000_100_000)
  await remove(second.key)
  await expect(source.whole?.(first)).rejects.toMatchObject({ code: 'CHANGED' })
  await expect(source.whole?.(second)).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a bucket is not read with other credentials, or with none', async () => {
  const secret = new Secret('another')
  for (const credentials of [undefined, { accessKey: 'AK', secret }, { accessKey: 'BK', secret }]) {
    const { source } = await served({ a: 'b' }, 1_790_000_000_000, { credentials })
    await expect(collect(source.list({}))).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(source.name).not.toContain('another')
  }
})
