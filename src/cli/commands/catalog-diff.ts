import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { CatalogChange, ChangedLines } from '../../app/catalog-compare.ts'
import type { CatalogDifference } from '../../core/api-catalog.ts'
import { type ExitCode, FlotillaError } from '../../core/errors.ts'
import { baseOf } from '../../core/release.ts'
import type { FileTree } from '../../core/tree.ts'
import { chosen, tell, type TellOptions, type Told } from '../catalog-diff-view.ts'
import { CATALOG, nodeOf, nodeOption } from '../catalog-options.ts'
import { waitForNodeMs, WAIT_FOR_NODE } from '../catalog-order.ts'
import { command } from '../command.ts'
import { type Hub, withHub } from '../connect.ts'
import type { Context } from '../context.ts'
import { parseRelease } from '../format.ts'

export const catalogDiff = command({
  arguments: [
    {
      name: 'FROM',
      summary: 'a release, or a data directory to compare the current release with',
      optional: true,
      completes: 'folder',
    },
    { name: 'TO', summary: 'a release; the current one when left out', optional: true },
  ],
  options: {
    ...nodeOption('compare the release with what this node has'),
    key: { type: 'list', placeholder: 'KEY', summary: 'only this object or file, such as style/burg' },
    ...WAIT_FOR_NODE,
    ...CATALOG,
  },
  details:
    'Object by object, with the lines that differ; passwords are masked. Without arguments: what the current release changed. ' +
    'With --node the exit code is 3 where anything differs.',
  examples: [
    'flotilla catalog diff',
    'flotilla catalog diff --node geo2',
    'flotilla catalog diff r3 r5 --key layer/topp:states',
    'flotilla catalog diff /srv/geoserver_data',
  ],
  async run({ args, options }, context) {
    const { node, tree } = options
    if (node !== undefined && args.FROM !== undefined) {
      throw new FlotillaError('USAGE', '--node compares with the release that the node looked at: name no other', {
        hint: `flotilla catalog diff --node ${node}`,
      })
    }
    const folder = await asFolder(args.FROM, context)
    if (folder !== undefined && args.TO !== undefined) {
      throw new FlotillaError('USAGE', 'a data directory is compared with the current release only')
    }
    return withHub<ExitCode>(options, context, async (hub) => {
      if (node !== undefined) return ofNode({ ...options, node }, hub, context)
      const sides =
        folder === undefined
          ? await releases(args.FROM, args.TO, tree, hub, context)
          : await withFolder(folder, tree, hub, context)
      await between(sides, options, context)
      return 0
    })
  },
})

/** So many are told line by line; more are named. */
const LINES_OF = 50

interface Sides {
  readonly from: { readonly name: string; readonly tree: FileTree }
  readonly to: { readonly name: string; readonly tree: FileTree }
}

async function releases(
  from: string | undefined,
  to: string | undefined,
  tree: string,
  hub: Hub,
  { signal }: Context,
): Promise<Sides> {
  const { desired } = await hub.client.status(tree, { signal })
  if (desired === undefined && (from === undefined || to === undefined)) throw nothingReleased(tree)
  const last = to === undefined ? (desired?.number ?? 0) : parseRelease(to)
  const first = from === undefined ? baseOf(desired ?? { number: last }) : parseRelease(from)
  const { releasedTree } = await import('../../app/catalog-releases.ts')
  return {
    from: { name: `r${first}`, tree: await releasedTree(hub.client, tree, first, { signal }) },
    to: { name: `r${last}`, tree: await releasedTree(hub.client, tree, last, { signal }) },
  }
}

async function withFolder(folder: string, tree: string, hub: Hub, { clock, signal }: Context): Promise<Sides> {
  const [{ releasedTree }, { readCatalogFolder }] = await Promise.all([
    import('../../app/catalog-releases.ts'),
    import('../../app/catalog-folder.ts'),
  ])
  const own = await readCatalogFolder(folder, { clock, signal })
  const { desired } = await hub.client.status(tree, { signal })
  const number = desired?.number ?? 0
  const released = await releasedTree(hub.client, tree, number, { signal })
  return { from: { name: `r${number}`, tree: released }, to: { name: folder, tree: own.tree } }
}

function nothingReleased(tree: string): FlotillaError {
  return new FlotillaError('NOT_FOUND', `nothing has been released in ${tree} yet`, {
    hint: 'The first release comes from a node whose role is source, or from: flotilla catalog apply DIR -m TEXT',
  })
}

async function between({ from, to }: Sides, options: TellOptions, context: Context): Promise<void> {
  const { signal } = context
  const { compareCatalogs } = await import('../../app/catalog-compare.ts')
  const all = await compareCatalogs(from.tree, to.tree, { signal })
  const wanted = chosen(all, options.key, ({ change }) => change.id)
  const told: Told[] = []
  for (const one of wanted) {
    // Of what is wholly new or gone, every line would be told.
    const isWhole = one.before === undefined || one.after === undefined
    const isWanted = !isWhole || options.json || options.key.length > 0
    const lines = isWanted && told.length < LINES_OF ? await linesOf(one, { from, to }, context) : {}
    const { id: key, path, effect, details } = one.change
    told.push({ key, path, what: WHAT[effect] ?? 'changed', details, ...lines })
  }
  tell({ from: from.name, to: to.name }, told, options, context)
}

const WHAT: Readonly<Record<string, string>> = { added: 'new', removed: 'removed' }

async function linesOf(
  { before, after }: CatalogChange,
  { from, to }: Sides,
  { signal }: Context,
): Promise<ChangedLines> {
  const { changedLines } = await import('../../app/catalog-compare.ts')
  const old = before && (await from.tree.read(before.path, { signal }))
  const now = after && (await to.tree.read(after.path, { signal }))
  return changedLines((after ?? before)?.path ?? '', old, now)
}

interface NodeDiff extends TellOptions {
  readonly node: string
  readonly tree: string
  readonly timeout: string
}

async function ofNode({ node, tree, timeout, ...options }: NodeDiff, hub: Hub, context: Context): Promise<ExitCode> {
  const { signal } = context
  const timeoutMs = waitForNodeMs({ timeout })
  const { catalog } = nodeOf(await hub.catalog.catalog(tree, { signal }), node)
  const wanted = chosen(catalog.differences, options.key, ({ key }) => key)
  const { changedLines } = await import('../../app/catalog-compare.ts')
  const bytes = async (sha256: string | undefined) =>
    sha256 === undefined ? undefined : await hub.catalog.version({ tree, node, sha256 }, { timeoutMs, signal })
  const told: Told[] = []
  for (const { key, path, decision, local, desired, details = [] } of wanted) {
    const lines = told.length < LINES_OF ? changedLines(path, await bytes(desired), await bytes(local)) : {}
    told.push({ key, path, what: DECISIONS[decision], details, ...lines })
  }
  tell({ from: `r${catalog.release}`, to: node }, told, options, context)
  return told.length === 0 ? 0 : 3
}

const DECISIONS: Readonly<Record<CatalogDifference['decision'], string>> = {
  conflict: 'in conflict',
  report: 'changed there',
  propose: 'changed there, to be released',
  apply: 'not applied yet',
}

/** Something that is written like a release is one, unless a folder of that name is here. */
async function asFolder(text: string | undefined, { cwd }: Context): Promise<string | undefined> {
  if (text === undefined) return undefined
  const path = resolve(cwd, text)
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return isFolder || !/^r?\d+$/i.test(text) ? path : undefined
}
