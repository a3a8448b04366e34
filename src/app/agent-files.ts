import { join } from 'node:path'
import { FilesPull } from '../agent/files-pull.ts'
import { Flips } from '../agent/flips.ts'
import type { Memory } from '../agent/memory.ts'
import { type AgentConfig, filesTargets } from '../config/agent.ts'
import type { FilesConfig } from '../config/files.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import { keys } from '../core/keys.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import type { NodeServed } from '../core/target.ts'
import { supervise } from '../lib/supervise.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { ClusterMembers, peerKeyOf } from './cluster-members.ts'
import { CLUSTER } from './cluster-source.ts'
import { type ServedNow, tellingOfChildren } from './files-children.ts'
import { FilesCluster } from './files-cluster.ts'
import { openPuller } from './files-puller.ts'
import { openFiles } from './files.ts'
import { whyPulled } from './files-why.ts'

export interface AgentFilesDeps {
  readonly store: Store
  readonly memory: Memory
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** Says something of this node to the cluster. */
  readonly tell: (key: string, value: { readonly atMs: number }) => void
  /** Is told which trees are served. */
  readonly served: ServedNow
}

/** The file service of a node, and what it pulls from elsewhere. */
export async function filesOf(config: AgentConfig, deps: AgentFilesDeps): Promise<readonly Service[]> {
  const targets = filesTargets(config)
  const { store, memory, clock, log, tell } = deps
  const members = new ClusterMembers(store, config.node)
  const pulls = new Map<string, FilesPull>()
  const together = targets.filter(([, { flip, groups }]) => flip === 'together' && groups.length > 0)
  const flips = await Flips.open({
    node: config.node,
    store,
    memory,
    clock,
    log,
    trees: together.map(([tree, { flipWait }]) => ({ tree, waitMs: flipWait })),
    onFlip: (tree) => pulls.get(tree)?.wake(),
    onReport: (tree) => pulls.get(tree)?.repeat(),
  })
  for (const [tree, target] of targets) {
    const pull = new FilesPull({
      tree,
      open: async (events, signal) =>
        await openPuller({ tree, target, gate: flips.gateOf(tree), members, events }, { ...deps, signal }),
      groups: () => flips.reportOf(tree),
      isCaughtUp: () => flips.isCaughtUp(tree),
      tell: (report) => tell(keys.files(config.node, tree), report),
      clock,
      log,
    })
    pulls.set(tree, pull)
  }
  const cluster = await FilesCluster.open({ ...deps, members, node: config.node, leaseMs: config.lease })
  const isInCluster = Object.values(config.files?.trees ?? {}).some(
    (tree) => tree.elected || tree.children === 'cluster',
  )
  const isInStep = (): boolean =>
    together.every(([tree]) => pulls.get(tree)?.isInStep === true && flips.isCaughtUp(tree) !== false)
  const waitMs = Math.min(CATCH_UP_MS, ...together.map(([, { flipWait }]) => flipWait))
  return [
    ...pulls.values(),
    ...(isInCluster || targets.some(([, { from }]) => from.includes(CLUSTER)) ? [members.service] : []),
    ...(isInCluster ? cluster.services : []),
    ...(together.length > 0 ? flips.services() : []),
    ...(config.files === undefined
      ? []
      : [serving(config, { ...deps, cluster }, pulls, together.length > 0 ? { isInStep, waitMs } : undefined)]),
  ]
}

/** A node that was away shows what the others show before it serves, but does not stay away for ever because of that. */
const CATCH_UP_MS = 60_000
const LOOK_MS = 50
const KEY_MS = 15_000

interface CatchUp {
  readonly isInStep: () => boolean
  readonly waitMs: number
}

function serving(
  config: AgentConfig,
  deps: AgentFilesDeps & { readonly cluster: FilesCluster },
  pulls: ReadonlyMap<string, FilesPull>,
  catchUp: CatchUp | undefined,
): Service {
  const { clock, log, base, cluster, tell, served } = deps
  const { files } = config
  let isFirst = true
  return {
    name: 'file service',
    run: async (signal) => {
      if (files === undefined) return
      if (isFirst && catchUp !== undefined) await caughtUp(catchUp, clock, signal)
      isFirst = false
      const state = absolute(base, files.state ?? join(absolute(base, config.state), 'files'))
      const targets = new Map(filesTargets(config))
      const pullWhy = (tree: string, key: string) => {
        const [pull, target] = [pulls.get(tree), targets.get(tree)]
        return pull && target && whyPulled({ key, target, report: pull.report }, clock)
      }
      const service = await openFiles(
        files,
        { clock, log, base, state, keys: [], pullWhy, cluster },
        ({ url, trees }) => log.info('files are served', { url, trees: trees.map(({ name }) => name) }),
      )
      const learning: Service = {
        name: 'key of nodes',
        run: async (until) => {
          do {
            const key = await peerKeyOf(deps.store, { signal: until })
            if (key !== undefined) await service.access.take(key)
          } while (await sleepQuietly(clock, KEY_MS, until))
        },
      }
      // Of what is pulled it is told how far that is.
      const fed = service.trees.filter(({ name }) => !targets.has(name))
      const told = tellingOfChildren(fed, (tree, report) => tell(keys.files(config.node, tree), report), clock)
      served.trees = service.trees
      tell(keys.served(config.node), servedBy(files, clock))
      try {
        await supervise([...service.services, learning, told], { clock, log, signal, random: Math.random })
      } finally {
        served.trees = []
        await service.close()
      }
    },
  }
}

function servedBy({ trees }: FilesConfig, clock: Clock): NodeServed {
  return { trees: Object.keys(trees), atMs: clock.nowMs() }
}

async function caughtUp({ isInStep, waitMs }: CatchUp, clock: Clock, signal: AbortSignal): Promise<void> {
  const untilMs = clock.monotonicMs() + waitMs
  while (!isInStep() && clock.monotonicMs() < untilMs && (await sleepQuietly(clock, LOOK_MS, signal)));
}
