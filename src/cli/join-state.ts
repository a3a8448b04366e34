import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Document } from 'yaml'
import { FlotillaError } from '../core/errors.ts'
import { TEMPORARY_PREFIX, writeAtomic } from '../lib/atomic-file.ts'
import { makeFolder } from '../lib/make-folder.ts'
import { AGENT_FILE, isFile } from './agent-state.ts'

export const CREDENTIAL_FILE = 'credential'

/**
 * Makes the state folder and tries that it can be written, before the one-time code is used up. Refuses a folder that
 * belongs to a node already, unless `replace`. Answers the folders it made, for `removeEmpty` if nothing comes of it.
 */
export async function prepareState(folder: string, replace: boolean): Promise<readonly string[]> {
  if (!replace && (await isFile(join(folder, AGENT_FILE)))) {
    throw new FlotillaError('USAGE', `a node has joined in ${folder} already`, {
      hint: `Start its agent: flotilla agent --state ${folder}. Or join anew with --replace.`,
    })
  }
  const made = await makeFolder(folder, 0o700)
  const probe = join(folder, `${TEMPORARY_PREFIX}join-${randomBytes(6).toString('hex')}`)
  await writeFile(probe, '', { flag: 'wx' })
  await rm(probe)
  return made
}

/** The credential first: a configuration without it would be of no use. */
export async function writeState(folder: string, config: object, token: string): Promise<void> {
  await writeAtomic(join(folder, CREDENTIAL_FILE), `${token}\n`, { mode: 0o600 })
  await writeAtomic(join(folder, AGENT_FILE), yamlOf(config), { mode: 0o600 })
}

function yamlOf(config: object): string {
  const document = new Document(config)
  document.commentBefore =
    ' Configuration of the agent of this node, written by `flotilla join`. Edit it, then start the agent again.\n' +
    ' `flotilla config check` checks it; docs/reference/config.md has every setting.'
  return document.toString({ lineWidth: 0 })
}
