import { agentOnce } from '../../src/agent/once.ts'
import { isError } from '../../src/core/errors.ts'
import type { WireState } from './wire.ts'
import { type Machine, World } from './world.ts'
import { type Content, contentKey } from './application.ts'

/** What the commands of one scenario act on. */
export class Story {
  world = new World({ seed: 1 })
  #shown = 0

  /** What was seen since it was last asked for. */
  news(): string {
    const lines = this.world.trace.slice(this.#shown)
    this.#shown = this.world.trace.length
    return lines.join('\n')
  }
}

type Command = (story: Story, args: readonly string[]) => Promise<string> | string

/**
 * Every command a scenario may use. Arguments are separated by spaces; `id=version` pairs are the items of a release, where
 * the version `malformed` cannot be prepared by any node and `bad` cannot be loaded by any application.
 */
export const COMMANDS: Readonly<Record<string, Command>> = {
  /** `cluster erd1 erd2 …`: machines with a running application and a running agent. */
  cluster: ({ world }, names) => {
    for (const name of names) start(world, world.addMachine(name))
    return ''
  },

  /** `machine erd2`: a machine with an empty disk, on which nothing runs. */
  machine: ({ world }, [name = '']) => {
    world.addMachine(name)
    return ''
  },

  /** `bus lose=0.5 repeat=0.2 delay=0.2 seed=7`: starts anew, with a bus that loses, repeats and delays hints. */
  bus: (story, args) => {
    const { lose = 0, repeat = 0, delay = 0, seed = 1 } = numbers(args)
    story.world = new World({ seed, faults: { lose, repeat, delay } })
    return ''
  },

  /** `release a=1 b=1`: one item `a` in version 1 and so on; answers with the number of the release. */
  release: async ({ world }, args) => `r${await world.release(contentOf(args))}`,

  /** `rollback r1`: a new release with the contents of an old one. */
  rollback: async ({ world }, [to = '']) => {
    const number = Number(to.slice(1))
    return `r${await world.release(world.releases[number - 1] ?? {}, number)}`
  },

  /** `reload a`, `reload *`: asks every node to load once more. */
  reload: async ({ world }, [item = '*']) => {
    await world.request(item)
    return ''
  },

  /** `run 30s`: lets time pass, and tells what was seen from outside meanwhile. */
  run: async (story, [time = '']) => {
    await story.world.run(msOf(time))
    return story.news()
  },

  /** `status`: the sentence a person is told. */
  status: async ({ world }) => await world.status(),

  /** `look erd1`: what really is on a machine. */
  look: ({ world }, [name = '']) => {
    const { disk, application, process, ended } = world.machine(name)
    const file = disk.config === undefined ? 'none' : `r${disk.config.release} ${contentKey(disk.config.content)}`
    const serves = application.isRunning ? contentKey(application.served) || 'nothing' : 'is down'
    const agent = process === undefined ? `ended${ended === undefined ? '' : ` with ${ended}`}` : 'running'
    return `file: ${file}\napplication: ${serves}, told to load ${application.loads} times\nagent: ${agent}`
  },

  /** `wire erd1 refused|silent|up`: the network between a node and the hub; `wire all …` is the hub going down. */
  wire: ({ world }, [name = '', state = 'up']) => {
    for (const { wire } of name === 'all' ? world.machines.values() : [world.machine(name)]) {
      wire.set(state as WireState)
    }
    return ''
  },

  /** `break-watches erd1`: its connections break; new ones are possible at once. */
  'break-watches': ({ world }, [name = '']) => {
    world.machine(name).wire.breakWatches()
    return ''
  },

  /** `kill erd1`: kill -9 of the agent. */
  kill: ({ world }, [name = '']) => {
    world.kill(world.machine(name))
    return ''
  },

  /** `kill-at erd1 7`: starts the agent, which dies at its 7th effect on the world. */
  'kill-at': ({ world }, [name = '', point = '']) => {
    world.startAgent(world.machine(name), { killAt: Number(point) })
    return ''
  },

  /** `stop erd1`: the agent is asked to end. */
  stop: ({ world }, [name = '']) => {
    world.stopAgent(world.machine(name))
    return ''
  },

  /** `start erd1`: starts the agent. */
  start: ({ world }, [name = '']) => {
    world.startAgent(world.machine(name))
    return ''
  },

  /** `crash erd1`, `boot erd1`: the application ends; it starts. */
  crash: ({ world }, [name = '']) => {
    world.machine(name).application.crash()
    return ''
  },
  boot: ({ world }, [name = '']) => {
    world.machine(name).application.start()
    return ''
  },

  /** `edit erd1 a=9 seen|unseen`: somebody edits the configuration by hand; the file system tells of it or not. */
  edit: ({ world }, [name = '', item = '', seen = 'seen']) => {
    const [id = '', version = ''] = item.split('=')
    world.edit(world.machine(name), id, version, { seen: seen === 'seen' })
    return ''
  },

  /** `wall erd1 3600s`: its wall clock jumps. */
  wall: ({ world }, [name = '', time = '']) => {
    world.machine(name).wall.offsetMs += msOf(time)
    return ''
  },

  /** `commits 300`: so many commits elsewhere, that what a watch missed is compacted. */
  commits: async ({ world }, [count = '']) => {
    for (let index = 0; index < Number(count); index++) {
      await world.store.commit({ changes: [{ op: 'put', key: 'other', value: `${index}` }] })
    }
    return ''
  },

  /** `twin erd1 other`: another machine, whose agent has the same node name; `clone erd1 copy`: one with a copy of its disk. */
  twin: ({ world }, [node = '', name = '']) => {
    start(world, world.addMachine(name), node)
    return ''
  },
  clone: ({ world }, [node = '', name = '']) => {
    start(world, world.addMachine(name, world.machine(node)), node)
    return ''
  },

  /** `once erd1 60s`: a new machine whose application does not run yet; says how `agent --once` ended. */
  once: async (story, [name = '', time = '']) => {
    const { world } = story
    const machine = world.machines.get(name) ?? world.addMachine(name)
    const ended: string[] = []
    void agentOnce(world.agentOptions(machine), { timeoutMs: msOf(time), signal: new AbortController().signal }).then(
      ({ outcome }) => ended.push(outcome),
      (error: unknown) => ended.push(isError(error) ? error.code : String(error)),
    )
    while (ended.length === 0) await world.run(100)
    return [story.news(), ...ended].filter((line) => line !== '').join('\n')
  },
}

function start(world: World, machine: Machine, node = machine.name): void {
  machine.application.start()
  world.startAgent(machine, { node })
}

function contentOf(args: readonly string[]): Content {
  return Object.fromEntries(args.map((pair) => pair.split('=') as [string, string]))
}

function numbers(args: readonly string[]): Partial<Record<string, number>> {
  return Object.fromEntries(args.map((pair) => pair.split('=')).map(([name, value]) => [name, Number(value)]))
}

function msOf(time: string): number {
  const match = /^([+-]?[\d.]+)(ms|s)$/.exec(time)
  if (match === null) throw new Error(`${time} is no time, such as 500ms or 30s`)
  return Number(match[1]) * (match[2] === 's' ? 1000 : 1)
}
