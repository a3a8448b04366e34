import { resolve } from 'node:path'
import type { lookAt } from '../app/files-look.ts'
import { type ExitCode, FlotillaError } from '../core/errors.ts'
import { isName } from '../core/keys.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import type { Context } from './context.ts'

/** Options of commands that ask a file service. */
export const FILES_AT = {
  url: {
    type: 'value',
    placeholder: 'URL',
    summary: 'the file service; otherwise FLOTILLA_FILES_URL, or http://127.0.0.1:8480',
  },
  apikeyFile: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'file that holds the key to show; otherwise FLOTILLA_FILES_KEY_FILE',
    completes: 'file',
  },
  json: { type: 'flag', summary: 'print JSON' },
} as const

const DEFAULT_URL = 'http://127.0.0.1:8480'

export interface FilesAt {
  readonly server: string
  readonly key: Secret | undefined
}

interface Given {
  readonly url?: string | undefined
  readonly apikeyFile: string | undefined
}

export async function filesAt({ url, apikeyFile }: Given, context: Context): Promise<FilesAt> {
  const server = url ?? nonEmpty(context.env['FLOTILLA_FILES_URL']) ?? DEFAULT_URL
  return { server, key: await keyOf(apikeyFile, context) }
}

/** Asks the file service that is meant. */
export async function withLook(
  given: Given,
  context: Context,
  use: (look: ReturnType<typeof lookAt>) => Promise<ExitCode>,
): Promise<ExitCode> {
  const app = await import('../app/files-look.ts')
  const look = app.lookAt(await filesAt(given, context), context.clock)
  try {
    return await use(look)
  } finally {
    await look.close()
  }
}

export async function keyOf(apikeyFile: string | undefined, { cwd, env }: Context): Promise<Secret | undefined> {
  const file = apikeyFile ?? nonEmpty(env['FLOTILLA_FILES_KEY_FILE'])
  return file === undefined ? undefined : await readSecretFile(resolve(cwd, file))
}

export interface FilesPath {
  readonly tree: string
  /** Empty for the tree itself. */
  readonly key: string
}

/** `data/icon/x.om` → tree `data`, key `icon/x.om`. Throws `USAGE`. */
export function filesPath(text: string): FilesPath {
  const slash = text.indexOf('/')
  const tree = slash < 0 ? text : text.slice(0, slash)
  if (!isName(tree)) {
    throw new FlotillaError('USAGE', `"${text}" does not begin with the name of a tree`, {
      hint: 'A path is TREE/KEY, such as data/icon/x.om. See the trees with `flotilla files ls`.',
    })
  }
  return { tree, key: slash < 0 ? '' : text.slice(slash + 1) }
}

/** Likewise, of a file. */
export function filePath(text: string): FilesPath {
  const path = filesPath(text)
  if (path.key !== '') return path
  throw new FlotillaError('USAGE', `"${text}" is a tree; name a file in it`, { hint: 'A path is TREE/KEY.' })
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
