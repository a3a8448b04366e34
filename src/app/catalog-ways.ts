import type { CatalogDifference } from '../core/api-catalog.ts'
import type { Op } from '../core/op.ts'
import { classify } from '../targets/geoserver/definition/classify.ts'
import type { CatalogEntry } from '../targets/geoserver/definition/model.ts'
import { nameIn, splitKey } from '../targets/geoserver/definition/names.ts'
import { plainEntry } from '../targets/geoserver/definition/portable.ts'
import { ParameterStores } from '../targets/geoserver/runtime/by-file.ts'
import { staleLayers } from '../targets/geoserver/runtime/tiles.ts'
import { type Way, wayOf } from '../targets/geoserver/runtime/ways.ts'
import type { CatalogChange } from './catalog-compare.ts'
import type { CatalogFolder } from './catalog-folder.ts'

export type { Way } from '../targets/geoserver/runtime/ways.ts'

/** How a change is expected to take effect on a node. What a node finds out only when it tries may differ. */
export interface Expected {
  readonly key: string
  readonly way: Way
  /** What GeoServer is told after files were placed. */
  readonly tell?: 'reset' | 'tile-config'
}

/** What all of them together come to, on each node. */
export interface ExpectedWork {
  readonly expected: readonly Expected[]
  /** Objects, which count for `reloadAbove`. */
  readonly objects: number
  /** Layers and groups whose tiles are dropped besides those that GeoServer drops by itself. */
  readonly truncated: readonly string[]
}

/** `entries`: the catalog as it will be. `byFile`: stores that name parameters of the node. */
export function expectedWork(
  changes: readonly CatalogChange[],
  entries: ReadonlyMap<string, CatalogEntry>,
  byFile: ReadonlySet<string>,
): ExpectedWork {
  const before = new Map(entries)
  for (const { before: was } of changes) if (was !== undefined) before.set(was.key, was)
  const ground = { prepared: { entries, byFile }, entries: before, state: { tried: new Map() } }
  const expected = changes.map(({ change: { id: key }, before: local, after: desired }): Expected => {
    const way = wayOf({ key, desired, local }, ground)
    return { key, way, ...(way === 'place' && tellingOf(desired ?? local)) }
  })
  const placed = new Set(expected.flatMap(({ key, way }) => (way === 'place' ? [key] : [])))
  const drawn = changes.flatMap(({ change, before: was, after: is }) => {
    const entry = is ?? was
    return entry !== undefined && placed.has(change.id) && DRAWN.has(entry.class) ? [entry] : []
  })
  return {
    expected,
    objects: changes.filter(({ before: was, after: is }) => isObject(is ?? was)).length,
    truncated: drawn.length === 0 ? [] : staleLayers(drawn, before),
  }
}

/** What is told of a node's difference is less than a catalog, and enough to say how it will be done. */
export function waysOfDifferences(differences: readonly CatalogDifference[]): readonly Expected[] {
  const changes = differences.map(({ key, path, local, desired }): CatalogChange => {
    const entry = entryAt(key, path)
    return {
      change: { id: key, effect: 'soft', path, details: [] },
      before: local === undefined ? undefined : entry,
      after: desired === undefined ? undefined : entry,
    }
  })
  const entries = changes.flatMap(({ before, after }) => before ?? after ?? [])
  const all = [...entries, ...entries.flatMap(styleOf)]
  return expectedWork(changes, new Map(all.map((entry) => [entry.key, entry])), new Set()).expected
}

const DRAWN: ReadonlySet<string> = new Set(['graphic', 'template', 'style-body'])

function tellingOf(entry: CatalogEntry | undefined): Pick<Expected, 'tell'> {
  if (entry?.class === 'graphic' || entry?.class === 'reset-file') return { tell: 'reset' }
  return entry?.class === 'tile-config' ? { tell: 'tile-config' } : {}
}

function isObject(entry: CatalogEntry | undefined): boolean {
  return entry?.class === 'object' || entry?.class === 'tile-layer'
}

const STORES: Readonly<Record<string, string>> = {
  featuretype: 'datastore',
  coverage: 'coveragestore',
  wmslayer: 'wmsstore',
  wmtslayer: 'wmtsstore',
}

/** What its key and path alone tell. Whatever lies in a store needs it. */
function entryAt(key: string, path: string): CatalogEntry {
  const { kind, name } = splitKey(key)
  const store = STORES[kind]
  const needs = store === undefined ? [] : [`${store}/${nameIn(name).workspace}:${path.split('/')[2]}`]
  return { ...plainEntry(path, classify(path).class ?? 'hot-file', 0, ''), key, needs }
}

/** As a rule a style is called like the file of what it says. */
function styleOf({ key, path, class: kind }: CatalogEntry): readonly CatalogEntry[] {
  if (kind !== 'style-body') return []
  const xml = path.replace(/\.\w+$/, '.xml')
  return [{ ...plainEntry(xml, 'object', 0, ''), key: `style/${path}`, needs: [key] }]
}

/** Stores that name parameters of the node: sent over REST these would be encrypted. */
export async function storesByFile({ catalog, tree }: CatalogFolder, op: Op): Promise<ReadonlySet<string>> {
  return await new ParameterStores().in(catalog, tree, op)
}
