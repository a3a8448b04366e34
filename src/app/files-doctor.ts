import { opendir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PEER_HEADER, PEER_PATH } from '../core/files/peer-wire.ts'
import { type Logger, silent } from '../core/log.ts'
import type { ChildView } from '../core/push/distribution.ts'
import { readApiKeys, readS3Credentials } from '../fileserver/key-files.ts'
import { systemClock } from '../lib/system-clock.ts'
import { upkeepAt } from './files-upkeep.ts'

/** What `doctor` looks at of a file service, beside its settings. */

const LIMIT = '/proc/sys/fs/inotify/max_user_watches'
const FOLDERS_MAX = 100_000
const ANSWER_MS = 5000

/** How many folders are below, the folder itself included; more than `FOLDERS_MAX` are not counted. */
export async function countFolders(folder: string): Promise<number> {
  let count = 0
  const left = [folder]
  for (let next = left.pop(); next !== undefined && count < FOLDERS_MAX; next = left.pop()) {
    count++
    for await (const entry of await opendir(next)) if (entry.isDirectory()) left.push(join(next, entry.name))
  }
  return count
}

/** How many folders all programs of a user may watch; undefined where the system does not say. */
export async function watchLimit(): Promise<number | undefined> {
  const text = await readFile(LIMIT, 'utf8').catch(() => '')
  return /^\d+\n?$/.test(text) ? Number(text) : undefined
}

/** Whether a file service of ours is at that address: `other` where something else answers, `nobody` where nothing does. */
export async function whoServes(url: string): Promise<'files' | 'other' | 'nobody'> {
  try {
    const answer = await fetch(url + PEER_PATH, { redirect: 'error', signal: AbortSignal.timeout(ANSWER_MS) })
    await answer.body?.cancel()
    // Who shows no key is refused before anything else is looked at, as S3 refuses.
    const isOurs = answer.headers.get(PEER_HEADER) !== null || answer.headers.get('x-amz-request-id') !== null
    return isOurs ? 'files' : 'other'
  } catch {
    return 'nobody'
  }
}

export interface KeysFound {
  readonly count: number
  /** What the log would say, such as that others can read the file. */
  readonly warnings: readonly string[]
}

/** Rejects with what is wrong with the file. */
export async function readKeys(path: string, kind: 'api' | 's3'): Promise<KeysFound> {
  const warnings: string[] = []
  const log: Logger = { ...silent, warn: (message) => void warnings.push(message) }
  const found = kind === 'api' ? await readApiKeys(path, log) : await readS3Credentials(path, log)
  return { count: found.length, warnings }
}

/** How the children of a tree fare, as its file service says; undefined where that does not answer, or wants a key that is not in that file. */
export async function childrenAt(
  server: string,
  tree: string,
  apiKeyFile: string | undefined,
): Promise<readonly ChildView[] | undefined> {
  const keys = apiKeyFile === undefined ? [] : await readApiKeys(apiKeyFile, silent).catch(() => [])
  const key = keys.find(({ grant: { scopes } }) => scopes.length === 0 || scopes.includes(`${tree}/`))?.key
  const upkeep = upkeepAt({ server, key }, systemClock)
  try {
    return (await upkeep.children(tree, { signal: AbortSignal.timeout(ANSWER_MS) })).children
  } catch {
    return undefined
  } finally {
    await upkeep.close()
  }
}
