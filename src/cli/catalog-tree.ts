import type { CatalogFolder } from '../app/catalog-folder.ts'
import type { Hub } from './connect.ts'
import type { Context } from './context.ts'
import type { CheckedTree } from './release-folder.ts'

/**
 * A data directory as what may be released. What the releases so far say of the GeoServer that they come from stays, for no folder
 * says it.
 */
export async function catalogTree(
  folder: string,
  tree: string,
  hub: Hub,
  { output, clock, signal }: Context,
): Promise<{ readonly own: CatalogFolder; readonly checked: CheckedTree }> {
  const [{ readCatalogFolder, CATALOG_KIND }, { releasedTree, versionsFileOf }] = await Promise.all([
    import('../app/catalog-folder.ts'),
    import('../app/catalog-releases.ts'),
  ])
  output.progress(`reading ${folder} …`)
  const own = await readCatalogFolder(folder, { clock, signal })
  const { desired } = await hub.client.status(tree, { signal })
  const before = await releasedTree(hub.client, tree, desired?.number ?? 0, { signal })
  return { own, checked: { kind: CATALOG_KIND, ...own, besides: versionsFileOf(before), advice: ADVICE } }
}

const ADVICE = 'Mend the files. One that was being written is whole in a moment: then only try again.'
