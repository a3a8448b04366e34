import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesConfig } from '../config/files.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { PullWhy } from '../core/files/peer-look.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import { type FenceCheck, FileFences } from '../files/fences.ts'
import { IndexThread } from '../files/index/index-client.ts'
import { type IndexedTree, openTreeIndex } from '../files/index/tree-index.ts'
import { type FolderFiles, openTreeFiles } from '../files/io/tree-files.ts'
import { openTreeParts } from '../files/io/parts.ts'
import { openTreeUploads } from '../files/io/uploads.ts'
import { SETTLE_MS, whyFile } from '../files/why.ts'
import type { ServedTree } from '../fileserver/options.ts'
import { sha256 } from '../lib/hash.ts'
import { isInside } from '../lib/open-inside.ts'
import type { Throttle } from '../lib/throttle.ts'
import type { TreeDistribution } from '../outbox/distribution.ts'
import type { FilesCluster } from './files-cluster.ts'
import { type Distributed, openDistribution, throttleOf } from './files-distribution.ts'

export interface TreesDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** Folder of what is known of the trees, one below it for each. */
  readonly state: string
  /** How this node is called towards others: host and port. Asked when it listens. */
  readonly nodeName: () => string
  /** As of `DistributionDeps`. */
  readonly cluster?: FilesCluster | undefined
  readonly listening: Promise<string>
  /** What a node that pulls the tree from elsewhere knows of a file. */
  readonly pullWhy?: ((tree: string, key: string) => PullWhy | undefined) | undefined
}

/** A tree that is ready to be served. */
export interface OpenTree extends ServedTree {
  readonly folder: string
  readonly index: IndexedTree
  readonly distribution: TreeDistribution
  /** Run as long as it is served. */
  readonly services: readonly Service[]
  close(): Promise<void>
}

/** Rejects, with nothing left open, where one of them cannot be opened. */
export async function openTrees(config: FilesConfig, deps: TreesDeps): Promise<readonly OpenTree[]> {
  const { cluster } = deps
  const check: FenceCheck | undefined = cluster && ((fence, op) => cluster.checkFence(fence, op))
  const fences = await FileFences.open(join(deps.state, 'fences.json'), check)
  const shared = { thread: new IndexThread(), throttle: throttleOf(config, deps.clock), config, fences }
  const open: OpenTree[] = []
  try {
    for (const [name, { folder, readOnly }] of Object.entries(config.trees)) {
      const root = await rootOf(name, absolute(deps.base, folder), deps)
      open.push(await openTree({ name, root, readOnly: readOnly || config.readOnly }, shared, deps))
    }
    return open
  } catch (error) {
    for (const tree of open) await tree.close()
    throw error
  }
}

interface TreePlace {
  readonly name: string
  readonly root: string
  readonly readOnly: boolean
}

/** What all trees of a node have in common. */
interface Shared {
  readonly thread: IndexThread
  readonly throttle: Throttle
  readonly config: FilesConfig
  readonly fences: FileFences
}

async function openTree({ name, root, readOnly }: TreePlace, shared: Shared, deps: TreesDeps): Promise<OpenTree> {
  const { clock, log, state, pullWhy } = deps
  const { thread, throttle, config, fences } = shared
  // By its folder: what was known of another one that had this name must not be mixed with it.
  const home = join(state, `${name}-${sha256(root).slice(0, 12)}`)
  const stateFile = join(home, 'index.sqlite')
  const index = await openTreeIndex({ root, stateFile, log, thread, settleMs: SETTLE_MS }).catch((error: unknown) => {
    throw inUse(error, name)
  })
  let files: FolderFiles
  let distributed: Distributed
  try {
    files = await openTreeFiles({ root, index, clock, log })
    const uploads = readOnly ? undefined : await openTreeUploads(files, { clock, log })
    const parts = await openTreeParts(files, { clock, log })
    const plain = { name, files, uploads, parts, index }
    distributed = await openDistribution(plain, config, { ...deps, ledgerFile: join(home, 'push.sqlite'), throttle })
  } catch (error) {
    await index.close()
    throw error
  }
  return {
    name,
    folder: root,
    readOnly,
    fences,
    index,
    files: distributed.files,
    uploads: distributed.uploads,
    parts: distributed.parts,
    distribution: distributed.distribution,
    services: [index.service, ...distributed.services],
    why: async (key) => ({
      entry: index.get(key),
      folder: whyFile({ root, key, nowMs: clock.nowMs(), settleMs: SETTLE_MS }),
      pull: pullWhy?.(name, key),
    }),
    close: async () => {
      await distributed.close()
      await files.close()
      await index.close()
    },
  }
}

async function rootOf(name: string, folder: string, { state }: TreesDeps): Promise<string> {
  const found = await stat(folder).catch(() => undefined)
  if (found?.isDirectory() !== true) {
    const what = found === undefined ? 'there is no folder' : 'this is no folder:'
    throw new FlotillaError('NOT_FOUND', `${what} ${folder}, which the tree ${name} is to be`, {
      hint: 'Make or mount it, or correct the path.',
    })
  }
  const root = await realpath(folder)
  const home = await realpath(state).catch(() => state)
  if (home !== root && !isInside(root, home)) return root
  throw new FlotillaError('CONFIG_INVALID', `the state folder ${state} lies in the tree ${name}`, {
    hint: 'Say where else: --state DIR, or `state` in the configuration.',
  })
}

function inUse(error: unknown, name: string): unknown {
  if (!(error instanceof FlotillaError) || error.code !== 'LOST_RACE') return error
  return new FlotillaError('LOST_RACE', `another file service uses the state of the tree ${name}`, {
    ...error.details,
    hint: 'Stop it first, or give this one a state folder of its own: --state DIR.',
  })
}
