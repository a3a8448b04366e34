import { buffer } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { collect } from '../../../test/helpers/collect.ts'
import { memoryTree, openFileServer } from '../../../test/helpers/file-server.ts'
import type { FileCredentials } from '../../lib/file-access.ts'
import { Secret } from '../../lib/secret.ts'
import { type FlotillaSource, openFlotillaSource } from './flotilla-source.ts'

const given: Readonly<Record<string, FileCredentials | undefined>> = {
  key: { token: new Secret('key-of-somebody') },
  signature: { accessKey: 'ACCESS', secret: new Secret('secret-of-somebody') },
  'wrong key': { token: new Secret('key-of-nobody') },
  'wrong signature': { accessKey: 'ACCESS', secret: new Secret('secret-of-nobody') },
  nothing: undefined,
}

async function source(credentials: FileCredentials | undefined): Promise<FlotillaSource> {
  const tree = memoryTree('t')
  for (const key of ['a/1', 'a/ü +&=?', 'b/1']) tree.index.write(key, key)
  const { url } = await openFileServer({
    trees: [tree],
    keys: 'key-of-somebody read t/a',
    credentials: 'ACCESS:secret-of-somebody read t/a',
  })
  const opened = openFlotillaSource({ server: url, tree: 't', credentials, nowMs: Date.now })
  onTestFinished(async () => opened.close())
  return opened
}

test.for(['key', 'signature'])('with a %s one reads what it covers, in every way', async (name) => {
  const { peer, ...reading } = await open(name)
  const entries = (await collect(reading.list({}))).flat()
  expect(entries.map(({ key }) => key)).toEqual(['a/1', 'a/ü +&=?'])
  for (const entry of entries) {
    expect(String(await buffer(await reading.open(entry)))).toBe(entry.key)
    expect(await peer.blocks(entry, { within: [0] })).toBeDefined()
  }
  const items = await collect(peer.batch(entries))
  expect(items.map(({ bytes }) => String(Buffer.from(bytes ?? [])))).toEqual(['a/1', 'a/ü +&=?'])
  const many = Array.from({ length: 1000 }, (_, index) => `a/none/${index}`)
  const pages = await collect(peer.changes({ prefixes: [...many, 'a/1'] }))
  expect(pages.flatMap(({ changes }) => changes.map(({ key }) => key))).toEqual(['a/1'])
})

async function open(name: string): Promise<Pick<FlotillaSource, 'peer' | 'list' | 'open'>> {
  const opened = await source(given[name])
  return { peer: opened.peer, list: (scope) => opened.list(scope), open: async (entry) => opened.open(entry) }
}

test.for(['wrong key', 'wrong signature', 'nothing'])('with %s one is told so, and reads nothing', async (name) => {
  const { peer, ...reading } = await open(name)
  const entry = { key: 'a/1', size: 3, modifiedMs: 1, etag: 'x' }
  const failures = [
    collect(reading.list({})),
    collect(peer.batch([entry])),
    peer.blocks(entry, {}),
    reading.open(entry),
  ]
  // All at once: one that takes longer must not leave another without anybody who listens.
  for (const failure of await Promise.allSettled(failures)) {
    const error: unknown = failure.status === 'rejected' ? failure.reason : undefined
    expect(['UNAUTHENTICATED', 'FORBIDDEN']).toContain((error as { code: string }).code)
    expect(JSON.stringify(error) + String(error)).not.toContain('nobody')
  }
})
