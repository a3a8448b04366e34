import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import { classify } from '../targets/geoserver/definition/classify.ts'
import type { LeftOut } from '../targets/geoserver/definition/model.ts'
import { splitKey } from '../targets/geoserver/definition/names.ts'
import { readCatalogFolder } from './catalog-folder.ts'
import { compareCatalogs } from './catalog-compare.ts'
import { keystoreOf } from './geoserver-look.ts'

/** A data directory as it was found. Nothing is opened for writing. */
export interface DataDirectoryFound {
  readonly folder: string
  /** What a release would hold: how many of each kind. */
  readonly kinds: Readonly<Record<string, number>>
  readonly problems: readonly Problem[]
  /** Why it is left out, and where: folders count as one. */
  readonly leftOut: Readonly<Record<LeftOut, readonly string[]>>
  /** Fingerprint of the keystore. */
  readonly keystore: string | undefined
  /** `cluster.properties` of the JMS extension is there. */
  readonly hasJms: boolean
  /** Why nothing more can be said. */
  readonly error?: string
}

/** Between the first and each of the others. */
export interface DirectoryDifferences {
  readonly folder: string
  readonly onlyInFirst: readonly string[]
  readonly onlyHere: readonly string[]
  readonly unlike: readonly string[]
  readonly hasOtherKeystore: boolean
}

export interface GeoserverLook {
  readonly directories: readonly DataDirectoryFound[]
  readonly differences: readonly DirectoryDifferences[]
}

const DEPTH_MAX = 4
const FOLDERS_MAX = 3000

/** Data directories under these folders, and how they differ. */
export async function lookForCatalogs(
  paths: readonly string[],
  { clock, ...op }: Op & { readonly clock: Clock },
): Promise<GeoserverLook> {
  const folders: string[] = []
  for (const path of paths) folders.push(...(await directoriesIn(path)))
  const directories: DataDirectoryFound[] = []
  const differences: DirectoryDifferences[] = []
  const unique = [...new Set(folders)]
  for (const folder of unique) directories.push(await foundIn(folder, { clock, ...op }))
  const [first, ...others] = directories.filter(({ error }) => error === undefined)
  if (first !== undefined) for (const other of others) differences.push(await between(first, other, { clock, ...op }))
  return { directories, differences }
}

/** Those that have a `global.xml` beside what only a data directory has. */
async function directoriesIn(path: string): Promise<readonly string[]> {
  const found: string[] = []
  let level = [path]
  for (let depth = 0, looked = 0; depth <= DEPTH_MAX && level.length > 0; depth++) {
    const next: string[] = []
    for (const folder of level) {
      if (++looked > FOLDERS_MAX) return found
      const entries = await entriesOf(folder)
      const has = (name: string): boolean => entries.some((entry) => entry.name === name)
      if (has('global.xml') && (has('workspaces') || has('security') || has('wms.xml'))) found.push(folder)
      else
        for (const entry of entries)
          if (entry.isDirectory() && !NOT_INTO.test(entry.name)) next.push(join(folder, entry.name))
    }
    level = next
  }
  return found
}

const NOT_INTO = /^(?:\.|node_modules$|logs?$|cache$|lucene$|gwc|dataset$)/

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  return await readdir(folder, { withFileTypes: true }).catch(() => [])
}

async function foundIn(folder: string, options: Op & { readonly clock: Clock }): Promise<DataDirectoryFound> {
  const leftOut: Record<LeftOut, string[]> = { secret: [], data: [], 'node-local': [], temporary: [], unsafe: [] }
  await collectLeftOut(folder, '', leftOut)
  const hasJms = (await entriesOf(join(folder, 'cluster'))).some(({ name }) => name === 'cluster.properties')
  const own = { folder, leftOut, hasJms, keystore: await keystoreOf(folder) }
  try {
    const { catalog, problems } = await readCatalogFolder(folder, options)
    const kinds = Map.groupBy(catalog.entries.values(), ({ key, class: kind }) =>
      key.startsWith('file/') ? kind : splitKey(key).kind,
    )
    return { ...own, problems, kinds: Object.fromEntries([...kinds].map(([kind, all]) => [kind, all.length])) }
  } catch (error) {
    options.signal?.throwIfAborted()
    return { ...own, kinds: {}, problems: [], error: messageOf(error) }
  }
}

/** A folder of which nothing is carried counts as one, and is not looked into: data may be millions of files. */
async function collectLeftOut(root: string, folder: string, leftOut: Record<LeftOut, string[]>): Promise<void> {
  for (const entry of await entriesOf(join(root, folder))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    const why = classify(entry.isDirectory() ? `${path}/probe.xml` : path).leftOut
    const isWhole = entry.isDirectory() && WHOLE.test(path)
    if (entry.isDirectory() && !isWhole) await collectLeftOut(root, path, leftOut)
    else if (why !== undefined) leftOut[why].push(isWhole ? `${path}/` : path)
  }
}

const WHOLE = /^(?:data|coverages|uploads|logs|cluster|tmp|temp|backup|importer|wps-cache|\.git|gwc\/[^/]+)$/

async function between(
  first: DataDirectoryFound,
  other: DataDirectoryFound,
  options: Op & { readonly clock: Clock },
): Promise<DirectoryDifferences> {
  const [a, b] = [await readCatalogFolder(first.folder, options), await readCatalogFolder(other.folder, options)]
  const changes = await compareCatalogs(a.tree, b.tree, options)
  const of = (...effects: readonly string[]): readonly string[] =>
    changes.filter(({ change }) => effects.includes(change.effect)).map(({ change }) => change.id)
  return {
    folder: other.folder,
    onlyInFirst: of('removed'),
    onlyHere: of('added'),
    unlike: of('soft', 'hard'),
    hasOtherKeystore: first.keystore !== other.keystore,
  }
}
