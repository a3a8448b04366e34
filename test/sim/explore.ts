import { keys } from '../../src/core/keys.ts'
import { seeded } from '../helpers/random.ts'
import { BAD, type Content, contentKey, MALFORMED } from './application.ts'
import { type Machine, TREE, World } from './world.ts'

export interface Run {
  readonly seed: number
  readonly trace: readonly string[]
  /** What did not hold; empty when all is well. */
  readonly violations: readonly string[]
}

type Dice = () => number

const NODES = ['erd1', 'erd2', 'erd3']
const ITEMS = ['a', 'b', 'c']
const HOUR_MS = 3_600_000
/** Long enough for a lease to end twice, a search with growing pauses to find the hub, and a long pause to pass. */
const HEALING_MS = 150_000

/**
 * One random story, told by its seed: for some minutes releases are made and everything goes wrong that can; then all
 * faults heal, and every node must come in step by itself.
 */
export async function explore(seed: number): Promise<Run> {
  const dice = seeded(seed * 7919 + 1)
  const faults = { lose: dice() * 0.8, repeat: dice() * 0.5, delay: dice() * 0.5 }
  const world = new World({ seed, faults })
  for (const name of NODES) {
    const machine = world.addMachine(name)
    if (dice() < 0.8) machine.application.start()
    world.startAgent(machine)
  }
  const events = 10 + Math.floor(dice() * 30)
  for (let event = 0; event < events; event++) {
    await disturb(world, dice)
    await world.run(dice() < 0.3 ? dice() * 100 : dice() * 8000)
  }
  await heal(world, dice)
  await world.run(HEALING_MS)
  for (const name of NODES) await judge(world, world.machine(name))
  return { seed, trace: world.trace, violations: world.invariants.violations }
}

/** One event. What is done to whom is the seed's choice; likely things are named more than once. */
async function disturb(world: World, dice: Dice): Promise<void> {
  const machine = world.machine(pick(NODES, dice))
  const act = pick(Object.keys(EVENTS), dice)
  const detail = await EVENTS[act]?.(world, machine, dice)
  world.note(`-- ${act} ${detail ?? machine.name}`)
}

type Event = (world: World, machine: Machine, dice: Dice) => Promise<string> | string | void

const EVENTS: Readonly<Record<string, Event>> = {
  release: async (world, _, dice) => `r${await world.release(randomContent(dice))}`,
  'release again': async (world, _, dice) => `r${await world.release(randomContent(dice))}`,
  rollback: async (world, _, dice) => {
    const to = Math.ceil(dice() * world.releases.length)
    return to === 0 ? 'to nothing' : `r${await world.release(world.releases[to - 1] ?? {}, to)} to r${to}`
  },
  reload: async (world, _, dice) => {
    const item = pick([...ITEMS, '*'], dice)
    await world.request(item)
    return item
  },
  cut: (_, { wire }, dice) => wire.set(pick(['refused', 'silent'], dice)),
  mend: (_, { wire }) => wire.set('up'),
  'hub down': (world, _, dice) => {
    const state = pick(['refused', 'silent'] as const, dice)
    for (const { wire } of world.machines.values()) wire.set(state)
    return state
  },
  'hub up': (world) => {
    for (const { wire } of world.machines.values()) wire.set('up')
    return ''
  },
  'watches break': (_, { wire }) => wire.breakWatches(),
  'history compacted': async (world) => {
    for (let index = 0; index < 250; index++) {
      await world.store.commit({ changes: [{ op: 'put', key: 'other', value: `${index}` }] })
    }
    return ''
  },
  kill: (world, machine) => world.kill(machine),
  'restart, to die soon': (world, machine, dice) => {
    world.kill(machine)
    world.startAgent(machine, { killAt: Math.ceil(dice() * 80) })
  },
  start: (world, machine) => world.startAgent(machine),
  stop: (world, machine) => world.stopAgent(machine),
  'application crashes': (_, { application }) => application.crash(),
  'application starts': (_, { application }) => application.start(),
  edit: (world, machine, dice) => world.edit(machine, pick(ITEMS, dice), 'by hand', { seen: dice() < 0.5 }),
  'wall clock jumps': (_, { wall }, dice) => void (wall.offsetMs += dice() < 0.5 ? HOUR_MS : -HOUR_MS),
  twin: (world, machine, dice) => {
    const other = world.addMachine(`${machine.name}-${world.machines.size}`, dice() < 0.5 ? machine : undefined)
    other.application.start()
    world.startAgent(other, { node: machine.name })
  },
}

/** Versions come back, so that a release may change nothing, or take back what another one did. */
function randomContent(dice: Dice): Content {
  const entries = ITEMS.filter(() => dice() < 0.8).map((id): [string, string] => {
    const luck = dice()
    return [id, luck < 0.08 ? MALFORMED : luck < 0.2 ? BAD : `v${Math.ceil(dice() * 4)}`]
  })
  return Object.fromEntries(entries)
}

async function heal(world: World, dice: Dice): Promise<void> {
  world.note('-- everything heals')
  for (const machine of world.machines.values()) {
    machine.wire.set('up')
    machine.process?.life.spare()
    if (!NODES.includes(machine.name)) world.kill(machine)
  }
  // Whoever is stopping has stopped then.
  await world.run(15_000)
  for (const name of NODES) {
    const machine = world.machine(name)
    machine.application.start()
    world.startAgent(machine)
  }
  if (dice() < 0.7) await world.release({ a: 'last', b: 'last' })
}

/** I5: after the faults have healed, a node serves what it should, and says so. */
async function judge(world: World, machine: Machine): Promise<void> {
  const { name, application, disk, process } = machine
  const wanted = world.releases.at(-1)
  const broken = (what: string): void => world.invariants.broken(`${name} ${what}`)
  if (process === undefined) return broken('has no agent that keeps running')
  if ((await world.store.get(keys.alive(name))) === undefined) broken('counts as lost')
  if (wanted === undefined) return undefined
  const report = await world.report(name)
  const versions = Object.values(wanted)
  if (versions.includes(MALFORMED)) {
    if (report?.state !== 'failed' || report.error?.code !== 'XML_MALFORMED') broken('does not say why it stands still')
    return undefined
  }
  const good = Object.fromEntries(Object.entries(wanted).filter(([, version]) => version !== BAD))
  if (disk.config?.release !== world.desired) broken(`has not applied r${world.desired}`)
  if (contentKey(application.served) !== contentKey(good)) broken(`serves ${contentKey(application.served)}`)
  const expected = versions.includes(BAD) ? 'failed' : 'in-step'
  if (report?.state !== expected) broken(`says ${report?.state} and not ${expected}`)
  if (expected === 'in-step' && report?.served !== world.desired) broken(`says that it serves r${report?.served}`)
  await judgeRequests(world, machine)
}

async function judgeRequests(world: World, { name, disk }: Machine): Promise<void> {
  const { entries } = await world.store.list(keys.requests(TREE))
  for (const { key, revision } of entries) {
    const done = disk.done.get(key.slice(keys.requests(TREE).length))
    if (done !== revision) world.invariants.broken(`${name} has not done ${key} of revision ${revision}, but ${done}`)
  }
}

function pick<T>(choices: readonly T[], dice: Dice): T {
  const choice = choices[Math.floor(dice() * choices.length)]
  if (choice === undefined) throw new RangeError('nothing to choose from')
  return choice
}
