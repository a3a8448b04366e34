import type { NodeAlive, NodeTarget } from '../../src/core/target.ts'
import { BAD, type Content, contentKey, MALFORMED } from './application.ts'
import type { Machine, World } from './world.ts'

/** More effects a second than this, over the life of a process, is a loop that does not rest. */
const EFFECTS_PER_SECOND_MAX = 40

/** What must hold at every moment of every run, whatever goes wrong. What did not is in `violations`. */
export class Invariants {
  readonly violations: string[] = []
  readonly #world: World
  readonly #speakers = new Map<string, string>()
  readonly #served = new Map<string, number>()
  /** By machine, what is served and has no reason to go. */
  readonly #steady = new Map<string, Set<string>>()

  constructor(world: World) {
    this.#world = world
  }

  /** A configuration is about to be written. Only what was released is, and nothing that is known to be broken (I7). */
  onWrite(machine: Machine, release: number, content: Content): void {
    const wanted = this.#world.releases[release - 1]
    if (wanted === undefined || contentKey(wanted) !== contentKey(content)) {
      this.broken(`${machine.name} applies r${release}, which nobody released like that`)
    }
    if (Object.values(content).includes(MALFORMED)) {
      this.broken(`${machine.name} replaces a good configuration by r${release}, which cannot be prepared`)
    }
    const before = machine.disk.config?.release ?? 0
    if (release < before) this.broken(`${machine.name} goes back from r${before} to r${release}`)
    const steady = this.#steadyOf(machine)
    for (const id of steady) if (mayGo(content[id])) steady.delete(id)
  }

  onAlive(node: string, { peerUrl = '' }: NodeAlive): void {
    // Another machine took the node's place, and has to prove everything anew.
    if (this.#speakers.get(node) !== peerUrl) this.#served.delete(node)
    this.#speakers.set(node, peerUrl)
  }

  /** A node's report has reached the store. What it says it serves never goes back (I2), and is true. */
  onReport(node: string, { state, served, applied, staged }: NodeTarget): void {
    const before = this.#served.get(node) ?? 0
    if (served < before) this.broken(`${node} served r${before} and now says r${served}`)
    this.#served.set(node, Math.max(before, served))
    if (served > applied || applied > staged) {
      this.broken(`${node} says staged r${staged}, applied r${applied}, served r${served}`)
    }
    if (state === 'in-step' && served !== applied) this.broken(`${node} says in step without a proof`)
    const content = this.#world.releases[served - 1]
    if (content === undefined) return
    const histories = [...this.#world.machines.values()].map(({ application }) => application.history)
    if (Object.keys(content).length > 0 && !histories.some((history) => history.has(contentKey(content)))) {
      this.broken(`${node} says that it serves r${served}, and no application ever did`)
    }
  }

  /** Only a second agent of its name ends an agent. */
  onEnd(machine: Machine, code: string | undefined): void {
    const isAlone = this.#world.machines.size === 1
    if (code !== undefined && (code !== 'LOST_RACE' || isAlone)) this.broken(`${machine.name} ended with ${code}`)
  }

  /** Looks at the machines themselves. */
  check(): void {
    for (const machine of this.#world.machines.values()) {
      this.#checkServing(machine)
      const { name, process } = machine
      const seconds = (this.#world.clock.monotonicMs() - (process?.startedMs ?? 0)) / 1000
      const effects = process?.life.points ?? 0
      if (effects > 500 + EFFECTS_PER_SECOND_MAX * seconds)
        this.broken(`${name} had ${effects} effects in ${seconds} s`)
    }
  }

  /** What is served stays served, hub or no hub, unless a release removes it or breaks it (I7, I10). */
  #checkServing(machine: Machine): void {
    const { name, application, disk } = machine
    const steady = this.#steadyOf(machine)
    if (!application.isRunning) steady.clear()
    for (const id of steady) if (application.served[id] === undefined) this.broken(`${name} no longer serves ${id}`)
    for (const id of Object.keys(application.served)) {
      if (!mayGo(disk.config?.content[id]) && !application.loading.includes(id)) steady.add(id)
    }
  }

  #steadyOf({ name }: Machine): Set<string> {
    const steady = this.#steady.get(name) ?? new Set<string>()
    this.#steady.set(name, steady)
    return steady
  }

  broken(what: string): void {
    this.violations.push(`${(this.#world.clock.monotonicMs() / 1000).toFixed(2)}s ${what}`)
  }
}

function mayGo(version: string | undefined): boolean {
  return version === undefined || version === BAD
}
