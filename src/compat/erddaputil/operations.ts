import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { Op } from '../../core/op.ts'
import type { Store } from '../../core/store.ts'
import { changeList } from '../../hub/lists.ts'
import type { FolderFollower } from '../../releases/follow.ts'
import type { Releases } from '../../releases/releases.ts'
import type { Command } from './command.ts'

export interface OperationsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly releases: Releases
  readonly followers: readonly Pick<FolderFollower, 'status' | 'rescan'>[]
  readonly tree: string
}

export interface Done {
  readonly message: string
  /** Of a list of datasets: `id (true)`. */
  readonly datasets?: readonly string[]
}

/**
 * Carries a command of ERDDAPUtil out as Flotilla does such a thing: on every node, also on one that is away now. Rejects
 * with a `FlotillaError`. What was asked for and is so already changes nothing.
 */
export async function carryOut(command: Command, deps: OperationsDeps, author: string, op: Op = {}): Promise<Done> {
  const { releases, tree } = deps
  switch (command.is) {
    case 'reload': {
      const { datasets, flag } = command
      const { revision } = await releases.request(tree, { kind: 'reload', flag, datasets }, author, op)
      return { message: `every node was asked to reload ${named(datasets)} (${flag}), revision ${revision}` }
    }
    case 'activate':
      return await activate(command, deps, author, op)
    case 'compile':
      return await compile(command.reloadAll, deps, author, op)
    case 'list':
      return await list(command, deps, author, op)
    case 'clear-cache': {
      const { datasets } = command
      const { revision } = await releases.request(tree, { kind: 'clear-cache', datasets }, author, op)
      return { message: `every node was asked to clear the cache of ${named(datasets)}, revision ${revision}` }
    }
    case 'flush-logs': {
      const { revision } = await releases.request(tree, { kind: 'flush-logs' }, author, op)
      return { message: `every node was asked to write out its log, revision ${revision}` }
    }
    case 'datasets':
      break
  }
  const { items, release } = await releases.items(tree, undefined, op)
  const datasets = items.map(({ id, active }) => `${id} (${active})`)
  return { message: `${items.length} datasets in r${release}`, datasets }
}

function named(datasets: readonly string[] | undefined): string {
  if (datasets === undefined) return 'every dataset'
  return datasets.length <= 10 ? datasets.join(', ') : `${datasets.length} datasets`
}

/** One release for all of them: where releases go out in waves, a second one would have to wait for the first. */
async function activate(
  { datasets, active }: Extract<Command, { is: 'activate' }>,
  { releases, tree }: OperationsDeps,
  author: string,
  op: Op,
): Promise<Done> {
  const { changed, release } = await releases.setActive(tree, datasets, { active }, author, op)
  const state = active ? 'active' : 'inactive'
  return { message: `${named(datasets)}: ${changed ? `${state} with r${release.number}` : `${state} already`}` }
}

async function compile(reloadAll: boolean, deps: OperationsDeps, author: string, op: Op): Promise<Done> {
  const { followers, tree, releases } = deps
  const follower = followers.find((one) => one.status().tree === tree)
  if (follower === undefined) {
    throw new FlotillaError('NOT_FOUND', `this hub follows no folder for ${tree}`, {
      hint: 'Name your datasets.d in `sources` of its configuration, or release it: flotilla datasets release DIR',
    })
  }
  const { changed, release } = await follower.rescan({}, author, op)
  const said = changed ? `released r${release.number} on every node` : `unchanged: the folder is r${release.number}`
  if (!reloadAll) return { message: said }
  const { revision } = await releases.request(tree, { kind: 'reload', flag: 'bad-files' }, author, op)
  return { message: `${said}; every dataset is reloaded (bad-files), revision ${revision}` }
}

async function list(
  { list: name, op: what, values }: Extract<Command, { is: 'list' }>,
  deps: OperationsDeps,
  author: string,
  op: Op,
): Promise<Done> {
  const { tree } = deps
  const answer = await changeList(deps, { tree, list: name }, { [what]: values }, author, op)
  const changed = [...answer.added, ...answer.removed]
  const said = changed.length === 0 ? `${name}: nothing to do` : `${name}: ${what} ${named(changed)} on every node`
  const left = answer.left.filter(({ value }) => changed.includes(value)).map(({ value, why }) => `; ${value}: ${why}`)
  const covered = answer.covered.map(({ value, by }) => `; ${value} lies in ${by}, which stays`)
  return { message: [said, ...left.slice(0, 10), ...covered.slice(0, 10)].join('') }
}
