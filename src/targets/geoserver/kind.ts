import type { Op } from '../../core/op.ts'
import type { CheckContext, CheckResult, FileTree, ItemChange, TreeKind } from '../../core/tree.ts'
import { Pace } from '../../lib/pace.ts'
import { changeOf } from './definition/change.ts'
import type { Catalog } from './definition/model.ts'
import { splitKey } from './definition/names.ts'
import { ReleaseReader } from './definition/release.ts'

/** Trees that are GeoServer data directories in portable form. Keeps what it read of each file. */
export function geoserverKind(): TreeKind {
  const reader = new ReleaseReader()
  return {
    kind: 'geoserver',
    // A reload takes everything of a node out of service, and most items are nothing that a request names.
    drains: 'nodes',
    check: async (tree, context, op) => checked(await reader.read(tree, op), context),
    compare: (from, to, op) => compareTrees(from, to, reader, op),
  }
}

function checked({ entries, problems }: Catalog, { active = {} }: CheckContext): CheckResult {
  const items = Array.from(entries.values(), ({ key, class: fileClass, path, digest }) => ({
    id: key,
    type: key.startsWith('file/') ? fileClass : splitKey(key).kind,
    active: Object.hasOwn(active, key) ? active[key] !== false : true,
    path,
    line: 1,
    digest,
  }))
  const isEmpty = items.length === 0 && !problems.some(({ severity }) => severity === 'error')
  return { items, problems: isEmpty ? [...problems, EMPTY] : problems }
}

const EMPTY = {
  severity: 'error',
  code: 'EMPTY',
  file: '.',
  message: 'no configuration was found',
  hint: 'A release is made of a data directory: global.xml, workspaces/, styles/ and so on.',
} as const

async function compareTrees(
  from: FileTree,
  to: FileTree,
  reader: ReleaseReader,
  op?: Op,
): Promise<readonly ItemChange[]> {
  const before = (await reader.read(from, op)).entries
  const after = (await reader.read(to, op)).entries
  const pace = new Pace(op)
  const changes: ItemChange[] = []
  for (const [id, { path }] of before) if (!after.has(id)) changes.push({ id, effect: 'removed', path, details: [] })
  for (const [id, now] of after) {
    const was = before.get(id)
    if (was === undefined) changes.push({ id, effect: 'added', path: now.path, details: [] })
    if (was === undefined || was.sha256 === now.sha256) continue
    await pace.rest()
    const change = changeOf(
      { entry: was, bytes: await from.read(was.path, op) },
      { entry: now, bytes: await to.read(now.path, op) },
    )
    if (change !== undefined) changes.push(change)
  }
  return changes
}
