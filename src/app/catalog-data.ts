import { realpathSync, statSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import type { AgentConfig } from '../config/agent.ts'
import { filesTargets } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { FileEntry } from '../core/files/entry.ts'
import type { FileSource } from '../core/files/source.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { openFlotillaSource } from '../objects/flotilla/flotilla-source.ts'
import type { MissingData } from '../targets/geoserver/runtime/data-waits.ts'
import { ClusterMembers, peerKeyOf } from './cluster-members.ts'
import { ClusterSource } from './cluster-source.ts'

interface DataDeps {
  readonly store: Store
  readonly clock: Clock
  readonly base: string
}

interface DataOf {
  readonly dataTree: string
  readonly dataDirectory: string
}

export interface CatalogData {
  readonly missing: MissingData
  readonly services: readonly Service[]
}

/** A store may read a folder with many files. */
const LISTED_MAX = 10_000
/** Times are kept to less than that by file systems. */
const SAME_MS = 2000

/**
 * Whether the data that a catalog reads is here as those nodes have it that serve the tree. Undefined on a node that does not pull the
 * tree: what it has is what counts.
 */
export function catalogData(
  config: AgentConfig,
  { dataTree, dataDirectory }: DataOf,
  deps: DataDeps,
): CatalogData | undefined {
  const target = filesTargets(config).find(([tree]) => tree === dataTree)?.[1]
  if (target === undefined) return undefined
  const { store, clock, base } = deps
  const folder = absolute(base, target.folder)
  const members = new ClusterMembers(store, config.node)
  const source = new ClusterSource({
    tree: dataTree,
    members: () => members.of(dataTree),
    open: async ({ url }) => {
      const token = await peerKeyOf(store, {})
      const credentials = token === undefined ? undefined : { token }
      return openFlotillaSource({ server: url, tree: dataTree, credentials, nowMs: () => clock.nowMs() })
    },
    nowMs: () => clock.nowMs(),
  })
  const missing: MissingData = async (data, op) => {
    for (const url of data) {
      const path = dataPath(url, dataDirectory)
      const key = path === undefined ? undefined : keyIn(folder, join(dataDirectory, path))
      const lacks = key === undefined ? undefined : await firstMissing(key, folder, source, op)
      if (lacks !== undefined) return lacks
    }
    return undefined
  }
  return { missing, services: [members.service] }
}

/** Path below the data directory that GeoServer means by a `file:` URL; undefined where it lies elsewhere. */
export function dataPath(url: string, dataDirectory: string): string | undefined {
  const [, text = ''] = /^file:(.*)$/is.exec(url.trim()) ?? []
  if (text === '') return undefined
  const plain = text
    .replace(/^\/\/(?!\/)/, '')
    .replace(/^\/+/, '/')
    .replace(/[?#].*$/, '')
  const path = isAbsolute(plain) ? relative(dataDirectory, plain) : plain
  return path === '' || path.startsWith('..') || isAbsolute(path) ? undefined : path.replace(/\/+$/, '')
}

function keyIn(folder: string, path: string): string | undefined {
  const key = relative(real(folder), join(real(join(path, '..')), path.slice(path.lastIndexOf('/') + 1)))
  return key === '' || key.startsWith('..') || isAbsolute(key) ? undefined : key
}

function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/** With what lies beside it under the same name: a shapefile is several files. */
async function firstMissing(key: string, folder: string, source: FileSource, op: Op): Promise<string | undefined> {
  const dot = key.lastIndexOf('.')
  const stem = dot > key.lastIndexOf('/') ? key.slice(0, dot + 1) : undefined
  let count = 0
  try {
    for await (const page of source.list({ prefixes: [stem ?? `${key}/`, key], ...op })) {
      for (const entry of page) {
        const isMeant = entry.key === key || entry.key.startsWith(stem ?? `${key}/`)
        if (isMeant && !isHere(entry, folder)) return entry.key
        count += 1
      }
      if (count > LISTED_MAX) return undefined
    }
  } catch (error) {
    op.signal?.throwIfAborted()
    if (!isError(error)) throw error
    // Who serves it is away: what is here must do.
    return exists(join(folder, key)) ? undefined : key
  }
  return count > 0 || exists(join(folder, key)) ? undefined : key
}

function isHere({ key, size, modifiedMs }: FileEntry, folder: string): boolean {
  try {
    const stat = statSync(join(folder, key))
    return stat.size === size && Math.abs(stat.mtimeMs - modifiedMs) < SAME_MS
  } catch {
    return false
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
