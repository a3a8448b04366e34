import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { start, type Running } from './program.ts'

/** Who may read and write everything. The secret has what clients may forget to quote. */
export const WRITER = { accessKey: 'FLOTILLAWRITER', secret: 'se/cret+of=tests' }
export const READER = { accessKey: 'FLOTILLAREADER', secret: 'secret-of-a-reader' }
/** `apikey=` that reads everything. */
export const API_KEY = 'key-of-tests'

const CREDENTIALS = `${WRITER.accessKey}:${WRITER.secret} write\n${READER.accessKey}:${READER.secret} read\n`

/** `flotilla files serve` as a process of its own, in a folder of its own. */
export interface FileService {
  readonly url: string
  readonly port: number
  /** Holds the trees, and whatever a test puts beside them. */
  readonly folder: string
  readonly program: Running
  /** Of the command, all but where it listens. */
  readonly options: readonly string[]
  /** Where a tree lies; with a path, a file in it. */
  at(tree: string, path?: string): string
  stop(): Promise<void>
}

export interface FileServiceOptions {
  readonly trees: readonly string[]
  /** Instead of those of `WRITER`, `READER` and `API_KEY`. */
  readonly credentials?: string
  readonly keys?: string
  /** Further options of the command. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export async function startFileService(options: FileServiceOptions): Promise<FileService> {
  const { trees, credentials = CREDENTIALS, keys = `${API_KEY}\n`, args = [], env = {} } = options
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-files-'))
  for (const tree of trees) mkdirSync(join(folder, tree))
  const files = { credentials: join(folder, 'credentials'), keys: join(folder, 'keys') }
  writeFileSync(files.credentials, credentials, { mode: 0o600 })
  writeFileSync(files.keys, keys, { mode: 0o600 })
  const named = trees.flatMap((tree) => ['--tree', `${tree}=${join(folder, tree)}`])
  const secret = ['--s3-credentials', files.credentials, '--api-key-file', files.keys]
  const argv = [...named, '--state', join(folder, 'state'), ...secret, ...args]
  const program = start(['files', 'serve', '--listen', '127.0.0.1:0', ...argv], { cwd: folder, env })
  const [, url = ''] = await program.line(/^files +(http:\S+)/)
  return {
    url,
    port: Number(new URL(url).port),
    folder,
    program,
    options: argv,
    at: (tree, path = '') => join(folder, tree, path),
    stop: async () => {
      await program.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
