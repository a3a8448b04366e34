import type { Bus } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Expectation, Store } from '../core/store.ts'
import type { NodeAlive, Target } from '../core/target.ts'
import { Wake } from '../lib/wake.ts'
import type { Memory } from './memory.ts'
import { PACE, type Pace, Reconciler } from './reconcile.ts'
import { Reporter } from './report.ts'
import { type Stage, Uptake } from './uptake.ts'
import type { Reason } from './wake.ts'
import { WantedFeed } from './wanted.ts'

/** One target of this node, and the tree whose releases it takes. */
export interface AgentTarget {
  readonly tree: string
  readonly target: Target
  /** The address at which proxies reach the application, such as `http://10.0.0.7:8080`. */
  readonly serves?: string | undefined
  /** Yields whenever a file that the target wrote or reads has changed, by whatever hand, or the application went or came. */
  readonly localChanges?: ((signal: AbortSignal) => AsyncIterable<unknown>) | undefined
  /** How long these are let come to rest before they are looked at; 500 ms unless told. */
  readonly settleMs?: number | undefined
}

export interface AgentOptions {
  readonly node: string
  /** Version of Flotilla. */
  readonly version: string
  /** Names this node defines for `${node.…}`. */
  readonly values: readonly string[]
  /** Where other nodes may fetch blobs, if this one serves them. */
  readonly peerUrl?: string | undefined
  /** Where its file service is, which trees that serves, and which it pulls. */
  readonly files?: Pick<NodeAlive, 'filesUrl' | 'filesTrees' | 'filesFed' | 'filesPulled'> | undefined
  readonly targets: readonly AgentTarget[]
  readonly store: Store
  readonly bus?: Bus | undefined
  readonly stage: Stage
  readonly memory: Memory
  readonly clock: Clock
  readonly log: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** A new random id, different each time. */
  readonly newId: () => string
  readonly pace?: Partial<Pace> | undefined
  /** After how long without a sign of life a node counts as lost; 15 s unless told. */
  readonly leaseMs?: number | undefined
}

/** How what an agent is made of hangs together: the wishes come in, the reports go out, one reconciler for each tree. */
export interface Parts {
  readonly feed: WantedFeed
  readonly reporter: Reporter
  readonly trees: readonly TreeParts[]
}

export interface TreeParts extends AgentTarget {
  readonly wake: Wake<Reason>
  readonly uptake: Uptake
  readonly reconciler: Reconciler
}

export interface Voice {
  readonly fence: () => Expectation | undefined
  readonly onLost: () => void
}

export function assemble(options: AgentOptions, voice: Voice): Parts {
  const { clock, node, store } = options
  const pace = { ...PACE, ...options.pace }
  const reporter = new Reporter({ node, store, clock, ...voice, onOlder: () => feed.look() })
  const trees: TreeParts[] = []
  const feed: WantedFeed = new WantedFeed({
    ...options,
    trees: options.targets.map(({ tree }) => tree),
    intervalMs: pace.settledMs,
    onChange: (tree) => trees.find((parts) => parts.tree === tree)?.wake.poke('wanted'),
  })
  for (const at of options.targets) {
    const { tree, target } = at
    const wake = new Wake<Reason>(clock)
    const uptake = new Uptake({ ...options, tree, target })
    const reconciler = new Reconciler({
      ...options,
      tree,
      target,
      uptake,
      wanted: () => feed.get(tree),
      wake,
      report: (report, asOf) => reporter.update(tree, target.kind, report, asOf),
      pace,
    })
    trees.push({ ...at, wake, uptake, reconciler })
  }
  return { feed, reporter, trees }
}

/** Made once for each state folder, so that an agent that comes back is told from a second one of the same name. */
export async function instanceOf(memory: Memory, newId: () => string): Promise<string> {
  const known = await memory.load(INSTANCE)
  return known ?? (await renewInstance(memory, newId))
}

/** Gives the identity up: to whoever else has it. */
export async function renewInstance(memory: Memory, newId: () => string): Promise<string> {
  const instance = newId()
  await memory.save(INSTANCE, instance)
  return instance
}

const INSTANCE = 'instance'
