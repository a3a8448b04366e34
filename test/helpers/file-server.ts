import { onTestFinished } from 'vitest'
import { silent } from '../../src/core/log.ts'
import { Access, type AccessOptions } from '../../src/fileserver/access.ts'
import { FileServer } from '../../src/fileserver/file-server.ts'
import { parseApiKeys, parseS3Credentials } from '../../src/fileserver/key-files.ts'
import type { FileServerOptions, ServedTree } from '../../src/fileserver/options.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { MemoryTree } from './memory-tree.ts'
import { MemoryTreeFiles } from './memory-tree-files.ts'
import { MemoryUploads } from './memory-uploads.ts'

export interface MemoryServedTree extends ServedTree {
  readonly index: MemoryTree
  readonly files: MemoryTreeFiles
}

export function memoryTree(
  name: string,
  contents: Readonly<Record<string, string | Uint8Array>> = {},
): MemoryServedTree {
  const index = new MemoryTree()
  for (const [key, content] of Object.entries(contents)) index.put(key, content)
  const files = new MemoryTreeFiles(index)
  return { name, index, files, uploads: new MemoryUploads(files), readOnly: false }
}

interface Given extends Partial<Omit<FileServerOptions, 'trees' | 'access'>> {
  readonly trees: readonly ServedTree[]
  /** As the files of keys have them; undefined: no such file. */
  readonly keys?: string
  readonly credentials?: string
  readonly open?: Partial<Pick<AccessOptions, 'openReads' | 'openJson' | 'openWrites'>>
}

export interface RunningFileServer {
  readonly url: string
  readonly port: number
  readonly server: FileServer
  readonly stop: () => Promise<void>
}

/** A file service that is stopped when the test has finished. */
export async function openFileServer(given: Given): Promise<RunningFileServer> {
  const host = '127.0.0.1'
  const { keys, credentials, open, ...options } = given
  const access = new Access({
    host,
    openReads: false,
    openJson: false,
    openWrites: false,
    ...open,
    apiKeys: keys === undefined ? undefined : parseApiKeys(keys, 'keys'),
    credentials: credentials === undefined ? undefined : parseS3Credentials(credentials, 'credentials'),
  })
  const stop = new AbortController()
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly url: string; readonly port: number }>()
  const base = { host, port: 0, clock: systemClock, log: silent, access: () => access }
  const server = new FileServer({ ...base, ...options, onListening: resolve })
  const running = server.run(stop.signal)
  running.catch(reject)
  const { url, port } = await promise
  const end = async (): Promise<void> => {
    stop.abort()
    await running
  }
  onTestFinished(end)
  return { url, port, server, stop: end }
}
