import { mkdirSync, symlinkSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { blobKey } from '../../src/core/objects.ts'
import { sha256 } from '../../src/lib/hash.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { folderObjects } from '../../src/objects/folder/folder-objects.ts'
import { httpObjects } from '../../src/objects/http/http-objects.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import { collect } from '../helpers/collect.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { openTestHub, type TestHub } from '../helpers/hub.ts'
import { objectReaderContract, objectSourceContract } from './objects.ts'

objectReaderContract('a folder', async (contents) => {
  const folder = temporaryFolder()
  const blobs = await openFolderBlobs(folder, { clock: systemClock })
  for (const content of contents) await blobs.put(sha256(content), content, { limitBytes: content.byteLength })
  return folderObjects(folder)
})

objectSourceContract('a folder', async (objects) => folderObjects(temporaryFolder(objects)))

let hub: TestHub
beforeAll(async () => {
  hub = await openTestHub()
})
afterAll(async () => hub.close())

objectReaderContract('a hub', async (contents) => {
  for (const content of contents) await hub.client.putBlob(sha256(content), content)
  return httpObjects({ name: `hub ${hub.url}`, url: hub.url, token: await hub.token(['read:blob/']) })
})

test('a folder that is gone is UNREACHABLE, not empty', async () => {
  const source = folderObjects('/does/not/exist')
  await expect(source.open('a/b')).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await expect(collect(source.list({ prefix: '' }))).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('links, folders and our own temporary files are no objects of a folder', async () => {
  const outer = temporaryFolder({ secret: 's', 'root/a': 'a', 'root/.flotilla-tmp-b-1': 'half' })
  const root = join(outer, 'root')
  symlinkSync('../secret', join(root, 'link'))
  symlinkSync('..', join(root, 'up'))
  mkdirSync(join(root, 'sub'))
  const source = folderObjects(root)
  expect((await collect(source.list({ prefix: '' }))).map(({ key }) => key)).toEqual(['a'])
  for (const key of ['link', 'sub']) await expect(source.open(key)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  const throughLink = async (): Promise<unknown> => buffer(await source.open('up/secret'))
  await expect(throughLink()).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('a token that may not read blobs is told so', async () => {
  const source = httpObjects({ name: 'hub', url: hub.url, token: await hub.token(['read:node/']) })
  await expect(source.open(blobKey(sha256('a')))).rejects.toMatchObject({ code: 'FORBIDDEN' })
  const stranger = httpObjects({ name: 'hub', url: hub.url, token: new Secret('wrong') })
  await expect(stranger.open(blobKey(sha256('a')))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

/** A server of which every connection is handled by `talk`. */
async function serverThat(talk: (write: (text: string) => void, end: () => void) => void): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () =>
      talk(
        (text) => socket.write(text),
        () => socket.destroy(),
      ),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n'

test.for([
  ['that closes at once', (_write: unknown, end: () => void): void => end()],
  [
    'that breaks off within the body',
    (write: (text: string) => void, end: () => void): void => {
      write(`${HEAD}half`)
      setTimeout(end, 20)
    },
  ],
  ['that falls silent within the body', (write: (text: string) => void): void => write(`${HEAD}half`)],
  ['that never answers', (): void => undefined],
  ['that speaks something else', (write: (text: string) => void): void => write('SSH-2.0-OpenSSH\r\n')],
] as const)('a hub %s is UNREACHABLE', async ([, talk]) => {
  const url = await serverThat(talk)
  const source = httpObjects({ name: 'hub', url, token: new Secret('t'), silenceMs: 200 })
  const read = async (): Promise<unknown> => buffer(await source.open(blobKey(sha256('a'))))
  await expect(read()).rejects.toMatchObject({ code: 'UNREACHABLE' })
})

test('a hub that does not run is UNREACHABLE', async () => {
  const source = httpObjects({ name: 'hub', url: 'http://127.0.0.1:1', token: new Secret('t') })
  await expect(source.open(blobKey(sha256('a')))).rejects.toMatchObject({ code: 'UNREACHABLE' })
})
