import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { readFile } from 'node:fs/promises'
import { trapsIn } from '../compat/erddaputil/environment.ts'
import { type Proposal, propose } from '../compat/erddaputil/proposal.ts'
import { readSettings, type SettingsFile } from '../compat/erddaputil/settings.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import { compare, type Differences } from '../targets/erddap/survey/differences.ts'
import { find, isFolder, type Script } from '../targets/erddap/survey/find.ts'
import { type Installation, survey } from '../targets/erddap/survey/installation.ts'
import { describeLayout } from '../targets/erddap/survey/layout.ts'
import { checkFolder } from './folder.ts'

/** What the commands that look at an existing set-up find. They write nothing anywhere. */

export interface SourceFound {
  readonly folder: string
  readonly layout: readonly string[]
  readonly datasets: number
  readonly problems: readonly Problem[]
  /** Why nothing more can be said. */
  readonly error?: string
}

export interface Look {
  readonly installations: readonly Installation[]
  readonly sources: readonly SourceFound[]
  readonly scripts: readonly Script[]
  /** Of several installations. */
  readonly differences: Differences | undefined
  readonly cut: boolean
}

/** Rejects with `NOT_FOUND` where there is no such folder. */
export async function lookAt(paths: readonly string[], clock: Clock, op: Op): Promise<Look> {
  const found = await Promise.all(paths.map(async (path) => await findIn(path, op)))
  const contents = [...new Set(found.flatMap(({ contentDirectories }) => contentDirectories))]
  const installations: Installation[] = []
  for (const folder of contents) {
    const near = found.find(({ contentDirectories }) => contentDirectories.includes(folder))
    installations.push(await survey(folder, near?.bigParentDirectories ?? []))
  }
  const sources: SourceFound[] = []
  for (const folder of new Set(found.flatMap((one) => one.sources))) sources.push(await sourceOf(folder, clock, op))
  return {
    installations,
    sources,
    scripts: found.flatMap(({ scripts }) => scripts),
    differences: installations.length > 1 ? compare(installations) : undefined,
    cut: found.some(({ cut }) => cut),
  }
}

async function findIn(path: string, op: Op) {
  if (await isFolder(path)) return await find(path, op)
  throw new FlotillaError('NOT_FOUND', `there is no folder ${path}`)
}

async function sourceOf(folder: string, clock: Clock, { signal }: Op): Promise<SourceFound> {
  try {
    const { tree, items, problems } = await checkFolder(folder, { clock, signal })
    return { folder, layout: describeLayout(tree.files, items), datasets: items.length, problems }
  } catch (error) {
    signal?.throwIfAborted()
    return { folder, layout: [], datasets: 0, problems: [], error: messageOf(error) }
  }
}

export interface ErddaputilFound extends Proposal {
  readonly files: readonly string[]
  readonly traps: readonly string[]
}

const NAMES = ['.erddaputil.defaults.toml', '.erddaputil.toml']

/** Its settings, as it finds them itself unless a file is named. Rejects with `NOT_FOUND` and `CONFIG_INVALID`. */
export async function lookAtErddaputil(
  file: string | undefined,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ErddaputilFound> {
  const files = await settingsFiles(file, cwd, env)
  const settings = await readSettings(files, env)
  return { ...propose(settings), files: files.map(({ path }) => path), traps: trapsIn(env) }
}

async function settingsFiles(
  file: string | undefined,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly SettingsFile[]> {
  if (file !== undefined) {
    const path = resolve(cwd, file)
    const text = await readFile(path, 'utf8').catch((cause: unknown) => {
      throw new FlotillaError('NOT_FOUND', `${path} cannot be read`, { cause })
    })
    return [{ path, text }]
  }
  const more = (env['ERDDAPUTIL_CONFIG_PATH'] ?? '').split(';').filter((folder) => folder !== '')
  const folders = [homedir(), cwd, ...more]
  const paths = NAMES.flatMap((name) => folders.map((folder) => join(resolve(cwd, folder), name)))
  const found: SettingsFile[] = []
  for (const path of new Set(paths)) {
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text !== undefined) found.push({ path, text })
  }
  if (found.length > 0) return found
  throw new FlotillaError('NOT_FOUND', 'there is no .erddaputil.toml here, at home or in ERDDAPUTIL_CONFIG_PATH', {
    hint: 'Name it: flotilla adopt erddaputil FILE',
  })
}
