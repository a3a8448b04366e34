import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FileSource } from '../../../src/core/files/source.ts'
import { keyPath } from '../../../src/lib/safe-path.ts'
import { Secret } from '../../../src/lib/secret.ts'
import { systemClock } from '../../../src/lib/system-clock.ts'
import { openFlotillaSource } from '../../../src/objects/flotilla/flotilla-source.ts'
import { openFolderSource } from '../../../src/objects/folder/folder-source.ts'
import { openOpenMeteoSource } from '../../../src/objects/openmeteo/open-meteo-source.ts'
import { parseS3Url } from '../../../src/objects/s3/location.ts'
import { openS3Source } from '../../../src/objects/s3/s3-source.ts'
import { openFileServer } from '../../helpers/file-server.ts'
import { temporaryFolder } from '../../helpers/folder.ts'
import { MemoryTreeFiles } from '../../helpers/memory-tree-files.ts'
import { MemoryTree } from '../../helpers/memory-tree.ts'
import { openOpenMeteoServer } from '../../helpers/open-meteo-server.ts'
import { fileSourceContract, type TestSource } from './source.ts'

const nowMs = (): number => systemClock.nowMs()

type Files = Readonly<Record<string, string | Uint8Array>>

/** A source that asks a file service for a tree in memory. */
async function served(
  name: string,
  files: Files,
  modifiedMs: number,
  open: (url: string) => FileSource,
): Promise<TestSource> {
  const tree = new MemoryTree()
  for (const [key, content] of Object.entries(files)) tree.write(key, content, modifiedMs)
  const server = await openFileServer({
    trees: [{ name, index: tree, files: new MemoryTreeFiles(tree), readOnly: true }],
  })
  return closing({
    source: open(server.url),
    server: { close: async () => undefined },
    write: async (key, content, at) => void tree.write(key, content, at),
    remove: async (key) => void tree.delete(key),
  })
}

fileSourceContract('a Flotilla node', { keys: 'any', listsAll: true }, async (files, modifiedMs) =>
  served('tree.1', files, modifiedMs, (server) => openFlotillaSource({ server, tree: 'tree.1', nowMs })),
)

fileSourceContract('a bucket', { keys: 'any', listsAll: true }, async (files, modifiedMs) =>
  served('bucket', files, modifiedMs, (server) =>
    openS3Source({ ...parseS3Url(`${server}/bucket`), clock: systemClock }),
  ),
)

fileSourceContract('a server of Open-Meteo', { keys: 'plain', listsAll: true }, async (files, modifiedMs) => {
  const server = await openOpenMeteoServer({ apikey: 'k e&y' })
  const write = async (key: string, content: Uint8Array | string, at = modifiedMs): Promise<void> => {
    server.files.set(key, { bytes: Buffer.from(content), modifiedMs: at })
  }
  // In no order.
  for (const [key, content] of Object.entries(files).toReversed()) await write(key, content)
  const source = openOpenMeteoSource({ server: server.url, apikey: new Secret('k e&y'), nowMs })
  return closing({ source, server, write, remove: async (key) => void server.files.delete(key) })
})

fileSourceContract('a folder', { keys: 'any', listsAll: true }, async (files, modifiedMs) => {
  const folder = temporaryFolder()
  const write = async (key: string, content: Uint8Array | string, at = modifiedMs): Promise<void> => {
    const path = join(folder, keyPath(key))
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, content)
    utimesSync(path, at / 1000, at / 1000)
  }
  for (const [key, content] of Object.entries(files)) await write(key, content)
  return { source: openFolderSource(folder), write, remove: async (key) => rmSync(join(folder, keyPath(key))) }
})

function closing({ server, ...test }: TestSource & { readonly server: { close(): Promise<void> } }): TestSource {
  onTestFinished(async () => {
    await test.source.close()
    await server.close()
  })
  return test
}
