import type { Strategy } from '../../../src/core/rollout.ts'
import type { ItemEffect } from '../../../src/core/tree.ts'
import { randomFaults } from '../../fault/flaky-store.ts'
import { seeded } from '../../helpers/random.ts'
import { Cluster, type SimHub } from './cluster.ts'
import { ITEMS } from './content.ts'
import type { SimNode } from './node.ts'

/** What happens in a story: each event with dice of its own, so that a story can be cut short and stays the same. */
export interface Plot {
  readonly seed: number
  readonly nodes: number
  readonly proxies: number
  readonly hubs: number
  readonly events: readonly { readonly name: EventName; readonly seed: number; readonly thenMs: number }[]
}

export interface Told {
  readonly trace: readonly string[]
  /** What did not hold; empty when all is well. */
  readonly violations: readonly string[]
}

type Dice = () => number

const HOUR_MS = 3_600_000
const HEALING_MS = 900_000

interface Story {
  readonly cluster: Cluster
  dice: Dice
  readonly hubs: Map<string, SimHub>
  joined: number
}

/**
 * One story: rollouts are started and steered while hubs, nodes and proxies fail in every way; then everything heals, and
 * what is under way must come to an end by itself.
 */
export async function explore({ seed, nodes, proxies, hubs, events }: Plot): Promise<Told> {
  const cluster = new Cluster(seed)
  const story: Story = { cluster, dice: seeded(seed), hubs: new Map(), joined: 0 }
  await cluster.begin(names('erd', nodes), names('edge', proxies))
  for (const name of names('hub', hubs)) startHub(story, name)
  for (const event of events) {
    story.dice = seeded(event.seed)
    const detail = await EVENTS[event.name](story)
    cluster.watcher.note(`-- ${event.name} ${detail ?? ''}`)
    await cluster.run(event.thenMs)
  }
  await heal(story)
  return { trace: cluster.watcher.trace, violations: cluster.watcher.violations }
}

function names(kind: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `${kind}${index + 1}`)
}

type Event = (story: Story) => Promise<string | void> | string | void

const EVENTS = {
  release: (story) => startRollout(story, { isGood: true }),
  'another release': (story) => startRollout(story, { isGood: true }),
  'broken release': (story) => startRollout(story, { isGood: false }),
  reload: async ({ cluster, dice }) => {
    const items = some(ITEMS, dice)
    return quietly(() => cluster.reload(items, strategyFrom(dice)), items.join(' '))
  },
  pause: async ({ cluster }) => quietly(() => cluster.rollouts.pause(cluster.tree, 'sim')),
  resume: async ({ cluster }) => quietly(() => cluster.rollouts.resume(cluster.tree)),
  abort: async ({ cluster }) => quietly(() => cluster.rollouts.abort(cluster.tree, 'sim')),
  'kill a hub': (story) => {
    const hub = pick([...story.hubs.values()], story.dice)
    hub.life.kill()
    startHub(story, hub.name)
    return hub.name
  },
  'stop a hub': async (story) => {
    const hub = pick([...story.hubs.values()], story.dice)
    hub.stop.abort()
    startHub(story, `${hub.name}.`)
    story.hubs.delete(hub.name)
    return hub.name
  },
  'hub cut off': ({ hubs, dice }) => {
    const hub = pick([...hubs.values()], dice)
    hub.wire.set(pick(['refused', 'silent'], dice))
    return hub.name
  },
  'hub mended': ({ hubs }) => {
    for (const { wire } of hubs.values()) wire.set('up')
  },
  'agent hangs': (story) => onNode(story, (node) => (node.agent = node.agent === 'up' ? 'hung' : node.agent)),
  'agents go on': ({ cluster }) => {
    for (const node of cluster.nodes.values()) node.agent = 'up'
  },
  'application crashes': (story) => onNode(story, (node) => node.crash()),
  'applications start': ({ cluster }) => {
    for (const node of cluster.nodes.values()) node.start()
  },
  'node is slow': (story) => onNode(story, (node) => (node.slowness = pick([1, 3, 20], story.dice))),
  'node is cut off from contents': (story) => onNode(story, (node) => (node.isCutOff = !node.isCutOff)),
  'proxy fails': ({ cluster, dice }) => {
    for (const proxy of cluster.proxies.values()) if (dice() < 0.5) proxy.state = pick(['hung', 'failed'], dice)
  },
  'proxies mend': ({ cluster }) => {
    for (const proxy of cluster.proxies.values()) proxy.state = 'up'
  },
  join: async (story) => {
    // A node that is alone is not drained; what it serves already, another one cannot take back.
    if (story.cluster.nodes.size < 2 || story.cluster.nodes.size > 5) return ''
    story.joined += 1
    return (await story.cluster.join(`new${story.joined}`)).name
  },
  forget: async (story) => {
    const node = pick([...story.cluster.nodes.values()], story.dice)
    if (story.cluster.nodes.size > 2) await story.cluster.forget(node.name)
    return node.name
  },
  'drain by hand': async ({ cluster, dice }) => {
    const { name } = pick([...cluster.nodes.values()], dice)
    const items = dice() < 0.5 ? { items: some(ITEMS, dice) } : {}
    return quietly(() => cluster.rollouts.drain(name, { tree: cluster.tree, ...items, reason: '', by: 'sim' }), name)
  },
  'undrain by hand': async ({ cluster }) => undrainAll(cluster),
} satisfies Readonly<Record<string, Event>>

export type EventName = keyof typeof EVENTS
export const EVENT_NAMES = Object.keys(EVENTS) as readonly EventName[]

async function startRollout({ cluster, dice }: Story, { isGood }: { readonly isGood: boolean }): Promise<string> {
  const items = some(ITEMS, dice)
  const effects = Object.fromEntries(items.map((item): [string, ItemEffect] => [item, pick(['soft', 'hard'], dice)]))
  const where = pick(['everywhere', ...cluster.nodes.keys()], dice)
  const broken = isGood ? new Map<string, string>() : new Map([[pick(items, dice), where]])
  const what = `${JSON.stringify(effects)}${isGood ? '' : ` broken ${where}`}`
  return quietly(() => cluster.release({ effects, broken }, strategyFrom(dice)), what)
}

function strategyFrom(dice: Dice): Partial<Strategy> {
  return {
    canary: pick([1, 1, 2], dice),
    wave: pick([1, 2, 3], dice),
    maxUnavailable: pick([1, 1, 2], dice),
    soakMs: pick([0, 1000, 4000], dice),
    gateTimeoutMs: pick([10_000, 40_000], dice),
    drain: pick(['auto', 'auto', 'always'], dice),
    drainMs: pick([0, 800], dice),
  }
}

function startHub({ cluster, hubs, dice }: Story, name: string): void {
  const faults = randomFaults(cluster.random, pick([0, 0.05, 0.2], dice))
  hubs.set(name, cluster.startHub(name, { offsetMs: pick([0, HOUR_MS, -HOUR_MS], dice), faults }))
}

async function heal({ cluster, dice }: Story): Promise<void> {
  cluster.watcher.note('-- everything heals')
  cluster.killHubs()
  cluster.startHub('healed', { offsetMs: pick([0, HOUR_MS, -HOUR_MS], dice) })
  for (const node of cluster.nodes.values()) {
    Object.assign(node, { agent: 'up', slowness: 1, isCutOff: false })
    node.start()
  }
  for (const proxy of cluster.proxies.values()) proxy.state = 'up'
  await undrainAll(cluster)
  await quietly(() => cluster.rollouts.resume(cluster.tree))
  const end = await cluster.runToEnd(HEALING_MS)
  if (!['done', 'rolled-back', 'aborted', 'none'].includes(end)) cluster.watcher.broken(`still ${end} at the end`)
  await cluster.run(60_000)
  const { release } = await cluster.desired()
  const content = cluster.content(release)
  for (const node of cluster.nodes.values()) {
    for (const [item, version] of content.items) {
      if (content.broken.has(item)) continue
      const served = node.served.get(item)
      if (served !== version)
        cluster.watcher.broken(`${node.name} serves ${item}=${served} of r${release}, not ${version}`)
    }
  }
}

async function undrainAll(cluster: Cluster): Promise<void> {
  for (const name of cluster.nodes.keys()) await cluster.rollouts.undrain(name)
}

function onNode({ cluster, dice }: Story, act: (node: SimNode) => unknown): string {
  const node = pick([...cluster.nodes.values()], dice)
  act(node)
  return node.name
}

/** What is refused is no news: one is under way already, or none is. */
async function quietly(act: () => Promise<unknown>, what = ''): Promise<string> {
  try {
    await act()
    return what
  } catch (error) {
    return `${what} (${String(error).slice(0, 60)})`
  }
}

function some<T>(choices: readonly T[], dice: Dice): readonly T[] {
  const chosen = choices.filter(() => dice() < 0.5)
  return chosen.length > 0 ? chosen : [pick(choices, dice)]
}

function pick<T>(choices: readonly T[], dice: Dice): T {
  const choice = choices[Math.floor(dice() * choices.length)]
  if (choice === undefined) throw new RangeError('nothing to choose from')
  return choice
}
