import { EventEmitter, once } from 'node:events'
import { watch } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentTarget } from '../agent/parts.ts'
import { type AgentConfig, erddapTargets } from '../config/agent.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { Liveness, takesConnections } from '../targets/erddap/runtime/liveness.ts'
import { targets } from '../targets/registry.ts'

interface TargetDeps {
  readonly clock: Clock
  readonly log: Logger
}

/** The targets of a node that take releases, each with the tree of these. */
export function targetsOf(config: AgentConfig, state: string, deps: TargetDeps): readonly AgentTarget[] {
  const values = new Map(Object.entries(config.values))
  return erddapTargets(config).map(([tree, { kind, serveUrl, ...options }]) => {
    const stateDirectory = options.stateDirectory ?? join(state, 'targets', tree)
    const target = targets[kind].create({ ...options, stateDirectory }, { ...deps, node: config.node, values })
    const folders = [options.contentDirectory, options.bigParentDirectory]
    const liveness = livenessOf(options.url, deps.clock)
    const serves = servesAt(serveUrl ?? options.url)
    return { tree, target, serves, localChanges: (signal) => localChanges(folders, liveness, signal) }
  })
}

/** What proxies are told: which paths lie there is for them to say. */
function servesAt(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).origin
}

/** Without an address nothing is asked, and nothing can be proved that the end of the application would disprove. */
function livenessOf(url: string | undefined, clock: Clock): Liveness | undefined {
  if (url === undefined) return undefined
  return new Liveness({ clock, answers: async (signal) => await takesConnections(url, signal) })
}

/** The file that the target writes, and the copy of it that ERDDAP makes when it reads it. */
const WATCHED: ReadonlySet<string | null> = new Set(['datasets.xml', 'currentDatasets.xml'])

/**
 * Yields after every change of one of the watched files, and when the application goes or comes; any number of changes
 * before the next look are one. Rejects when a folder cannot be watched, or is no longer there.
 */
async function* localChanges(
  folders: readonly string[],
  liveness: Liveness | undefined,
  signal: AbortSignal,
): AsyncGenerator<void, void> {
  const left = new AbortController()
  const changes = new EventEmitter()
  const either = AbortSignal.any([signal, left.signal])
  const listen = async (to: Liveness): Promise<void> => {
    for await (const _ of to.changes(either)) changes.emit('change')
  }
  const files = folders.map(async (folder) => {
    for await (const { filename } of watch(folder, { signal: either }))
      if (WATCHED.has(filename)) changes.emit('change')
  })
  const watching = liveness === undefined ? files : [...files, listen(liveness)]
  const broken = Promise.race(watching)
  // Whoever reads the generator next is told; nobody may be reading just now.
  broken.catch(() => undefined)
  for (const one of watching) one.catch(() => undefined)
  try {
    for (;;) {
      await Promise.race([once(changes, 'change', { signal: either }), broken])
      yield
    }
  } finally {
    left.abort()
  }
}
