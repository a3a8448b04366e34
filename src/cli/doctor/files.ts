import { readdir, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type AgentConfig, filesTargets } from '../../config/agent.ts'
import { absolute } from '../../config/paths.ts'
import { isLoopbackHost } from '../../lib/loopback.ts'
import { shellWord } from '../../lib/shell-word.ts'
import { plural } from '../format.ts'
import { type Check, fail, type Finding, ok, warn } from './check.ts'
import { replaces, space, writable } from './folders.ts'

type Files = NonNullable<AgentConfig['files']>

/** What can be seen of the files that an agent serves and pulls, on their own machine. `file` is the agent's configuration. */
export function filesChecks(file: string, config: AgentConfig): readonly Check[] {
  const base = dirname(file)
  const { files } = config
  const pulled = filesTargets(config).flatMap(([tree, { folder: path, from }]) => {
    const [group, folder] = [`node ${config.node}, files ${tree}`, absolute(base, path)]
    return [
      check(group, 'folder', () => folderFinding(folder, true)),
      replaces(group, folder),
      space(group, folder),
      check(group, 'sources', () => sourcesFinding(from, config)),
    ]
  })
  return files === undefined ? pulled : [...serviceChecks(base, files, config), ...pulled]
}

function serviceChecks(base: string, files: Files, { node, state }: AgentConfig): readonly Check[] {
  const group = `node ${node}, file service`
  const trees = Object.entries(files.trees)
  const keys = (name: string, kind: 'api' | 's3', path: string | undefined): readonly Check[] =>
    path === undefined ? [] : [check(group, name, () => keysFinding(absolute(base, path), kind))]
  return [
    check(group, 'address', () => addressFinding(files)),
    check(group, 'access', () => Promise.resolve(accessFinding(files))),
    ...keys('keys', 'api', files.apiKeyFile),
    ...keys('S3 credentials', 's3', files.s3CredentialsFile),
    ...(files.state === undefined
      ? []
      : [writable(group, 'state', absolute(base, files.state), 'Make it, or correct `files.state`.')]),
    ...trees.map(([tree, { folder, readOnly }]) =>
      check(group, `tree ${tree}`, async () => {
        const root = absolute(base, folder)
        const found = await folderFinding(root, !(readOnly || files.readOnly))
        return found.verdict === 'ok' ? await apartFinding(root, absolute(base, files.state ?? state)) : found
      }),
    ),
    ...trees
      .filter(([, { children }]) => children.length > 0)
      .map(([tree]) => check(group, `children of ${tree}`, () => childrenFinding(base, files, tree))),
    check(group, 'watching', () => watchFinding(trees.map(([, { folder }]) => absolute(base, folder)))),
  ]
}

function check(group: string, name: string, run: () => Promise<Finding>): Check {
  return { group, name, run }
}

async function folderFinding(folder: string, isWritten: boolean): Promise<Finding> {
  const names = await readdir(folder).catch((error: unknown) => (error as NodeJS.ErrnoException).code ?? 'failed')
  if (names === 'ENOENT') return fail(`${folder} is not there`, 'Make or mount it, or correct its path.')
  if (typeof names === 'string')
    return fail(`${folder} cannot be read (${names})`, 'It must be open to the agent’s user.')
  if (!isWritten) return ok(folder)
  return await writable('', '', folder, '').run()
}

/** The index changes with every look at the tree: it must not be part of it. */
async function apartFinding(root: string, state: string): Promise<Finding> {
  const [tree, home] = await Promise.all([realpath(root), realpath(state).catch(() => state)])
  if (home !== tree && !home.startsWith(join(tree, '/'))) return ok(root)
  return fail(
    `the state folder ${state} lies in it`,
    'Set `state`, or `files.state`, to a folder outside of the trees.',
  )
}

async function keysFinding(path: string, kind: 'api' | 's3'): Promise<Finding> {
  const { readKeys } = await import('../../app/files-doctor.ts')
  const { count, warnings } = await readKeys(path, kind)
  const [first] = warnings
  if (first !== undefined) return warn(`${path}: ${first}`, `chmod 600 ${shellWord(path)}`)
  return count === 0 ? warn(`${path} holds none: nobody gets in by it`, 'Add a line.') : ok(plural(count, 'line'))
}

async function addressFinding({ listen, trees }: Files): Promise<Finding> {
  const { whoServes } = await import('../../app/files-doctor.ts')
  const { host, port } = listen
  const near = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  const at = `${near}:${port}`
  if (Object.keys(trees).length === 0) return warn('it serves no tree', 'Add one to `files.trees`.')
  if (port === 0) return warn('its port is another one at each start', 'Set `files.listen` to a fixed one.')
  const who = await whoServes(`http://${at}`)
  if (who === 'files') return ok(`answers at ${at}`)
  if (who === 'other') return fail(`another program answers at ${at}`, 'Stop it, or choose another `files.listen`.')
  return warn(`nobody answers at ${at}`, 'Start the agent, or look at its log.')
}

/** As the service itself says it, where it runs. */
async function childrenFinding(base: string, { listen, apiKeyFile }: Files, tree: string): Promise<Finding> {
  const { childrenAt } = await import('../../app/files-doctor.ts')
  const { host, port } = listen
  const near = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  const path = apiKeyFile === undefined ? undefined : absolute(base, apiKeyFile)
  const children = await childrenAt(`http://${near}:${port}`, tree, path)
  if (children === undefined) return warn('the file service does not say how they fare', 'Start the agent.')
  const first = children.find(({ state }) => state === 'unreachable' || state === 'refused')
  if (first !== undefined) {
    const why = first.error === undefined ? '' : `: ${first.error}`
    const fix =
      first.hint ??
      (first.state === 'refused'
        ? `Give the key a line at ${first.name}: KEY parent ${tree}; or see there who feeds it.`
        : `Start the file service at ${first.name}, or correct its address.`)
    return warn(`${first.name} is ${first.state}${why}`, fix)
  }
  const stuck = children.find((child) => child.stuck > 0)
  const upper = children.find(({ below }) => below !== undefined)
  if (stuck === undefined && upper !== undefined)
    return warn(`below ${upper.name} ${upper.below}`, `Look there: flotilla files missing --url http://${upper.name}`)
  if (stuck === undefined) return ok(plural(children.length, 'node'))
  return warn(
    `${stuck.name} could not take ${plural(stuck.stuck, 'operation')}`,
    `flotilla files missing ${stuck.name}`,
  )
}

function accessFinding({ listen, apiKeyFile, s3CredentialsFile, openReads }: Files): Finding {
  const hasKeys = apiKeyFile !== undefined || s3CredentialsFile !== undefined
  if (hasKeys && !openReads) return ok('with keys only')
  if (isLoopbackHost(listen.host)) return ok('open to this machine')
  return warn(
    'anybody who reaches its address may read everything',
    'If that is not meant: set `files.apiKeyFile` or `files.s3CredentialsFile`; nodes need no line in them.',
  )
}

export async function watchFinding(folders: readonly string[]): Promise<Finding> {
  const { countFolders, watchLimit } = await import('../../app/files-doctor.ts')
  const limit = await watchLimit()
  const counts = await Promise.all(folders.map(async (folder) => await countFolders(folder).catch(() => 0)))
  const count = counts.reduce((sum, one) => sum + one, 0)
  if (limit === undefined) return ok(`${plural(count, 'folder')}; this system sets no limit`)
  if (count < limit / 2) return ok(`${plural(count, 'folder')} of ${limit} that may be watched`)
  return warn(
    `${plural(count, 'folder')}, and all programs of a user may watch ${limit}: changes beyond are found by scanning`,
    `sysctl fs.inotify.max_user_watches=${Math.max(limit * 2, count * 4)}`,
  )
}

async function sourcesFinding(from: readonly string[], { hub }: AgentConfig): Promise<Finding> {
  if (from.includes('cluster') && hub === undefined) {
    return fail('`cluster` means the other nodes of a hub, and `hub` is not set', 'Name a URL or a folder instead.')
  }
  const { whoServes } = await import('../../app/files-doctor.ts')
  const urls = from.filter((one) => /^https?:/.test(one))
  const answers = await Promise.all(urls.map(async (url) => [url, await whoServes(new URL(url).origin)] as const))
  const silent = answers.filter(([, who]) => who === 'nobody').map(([url]) => url)
  if (silent.length === 0) return ok(from.join(', '))
  const all = silent.length === from.length
  return (all ? fail : warn)(`no answer from ${silent.join(', ')}`, 'Start it there, or correct `from`.')
}
