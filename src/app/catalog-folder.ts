import type { Clock } from '../core/clock.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import type { FileTree, TreeItem } from '../core/tree.ts'
import type { Catalog } from '../targets/geoserver/definition/model.ts'
import { Overlay } from '../targets/geoserver/definition/overlay.ts'
import { DataDirectory } from '../targets/geoserver/directory/data-directory.ts'
import { geoserverKind } from '../targets/geoserver/kind.ts'

export const CATALOG_KIND = 'geoserver'

/** A data directory of a GeoServer, as it runs or in a checkout, in the form that a release has. */
export interface CatalogFolder {
  readonly tree: FileTree
  readonly catalog: Catalog
  readonly items: readonly TreeItem[]
  readonly problems: readonly Problem[]
}

/** Reads it once. Writes nothing. Rejects with `SOURCE_VANISHED` where it is no data directory, or not whole. */
export async function readCatalogFolder(
  path: string,
  { clock, ...op }: Op & { readonly clock: Clock },
): Promise<CatalogFolder> {
  const directory = new DataDirectory({ path, overlay: new Overlay(), clock })
  const tree = await directory.scan(op).catch((error: unknown) => {
    throw isError(error, 'SOURCE_VANISHED') ? new FlotillaError(error.code, error.message, { hint: WHICH }) : error
  })
  const { items, problems } = await geoserverKind().check(tree, {}, op)
  return { tree, catalog: tree.catalog, items, problems: unique([...tree.catalog.problems, ...problems]) }
}

const WHICH = 'Name the folder that has global.xml and workspaces, as GEOSERVER_DATA_DIR does. Nothing was changed.'

function unique(problems: readonly Problem[]): readonly Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()]
}
