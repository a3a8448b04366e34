import { expect, test } from 'vitest'
import { decideFlip, type FlipRecord, type GroupReport, offered, stagedAfter } from '../../../src/core/files/flip.ts'
import { seeded } from '../../helpers/random.ts'

const NODES = ['a', 'b', 'c', 'd'] as const
const WAIT_MS = 50
const NONE: GroupReport = { staged: [], asOf: 0 }

/** What everybody can read, at one revision. */
interface View {
  readonly revision: number
  readonly flipRevision: number
  readonly flip: FlipRecord | undefined
  readonly reports: ReadonlyMap<string, GroupReport>
  readonly alive: ReadonlySet<string>
}

/** One machine. What lies on the disk and what it says of itself survive a crash, everything else does not. */
interface Machine {
  readonly name: string
  disk: { current: string | undefined; staged: string[] }
  runs: boolean
  view: View
  own: GroupReport
  told: GroupReport | undefined
  known: Map<string, number>
}

/** A cluster whose parts act in any order, each on what it happened to see last. Generations of the source are numbers. */
class Cluster {
  readonly #random: () => number
  readonly machines: readonly Machine[]
  readonly wrong: string[] = []
  readonly shown = new Set<string | undefined>([undefined])
  commits = 0
  late = 0
  nowMs = 0
  source = 1
  #now: View = { revision: 1, flipRevision: 0, flip: undefined, reports: new Map(), alive: new Set(NODES) }

  constructor(seed: number) {
    this.#random = seeded(seed)
    this.machines = NODES.map((name) => ({
      name,
      disk: { current: undefined, staged: [] },
      runs: true,
      view: this.#now,
      own: NONE,
      told: undefined,
      known: new Map(),
    }))
  }

  step(faults: boolean): void {
    this.nowMs += 1
    const machine = this.machines[this.#pick(NODES.length)] as Machine
    const dice = this.#pick(100)
    if (faults && dice < 2) this.source += 1
    else if (faults && dice < 5) this.#crash(machine)
    else if (faults && dice < 7) this.#expire(machine)
    else if (!machine.runs) this.#start(machine)
    else if (dice < 30) this.#pull(machine)
    else if (dice < 55) this.#tell(machine)
    else if (dice < 80) this.#look(machine)
    else this.#decide(machine)
  }

  get live(): readonly Machine[] {
    return this.machines.filter(({ runs }) => runs)
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  #crash(machine: Machine): void {
    machine.runs = false
    machine.told = undefined
  }

  /** The lease of one that does not run has ended. */
  #expire(machine: Machine): void {
    if (machine.runs) return
    const alive = new Set(this.#now.alive)
    alive.delete(machine.name)
    this.#now = { ...this.#now, alive, revision: this.#now.revision + 1 }
  }

  #start(machine: Machine): void {
    machine.runs = true
    machine.known = new Map()
    machine.told = machine.own
    this.#look(machine)
    this.#tell(machine)
  }

  #pull(machine: Machine): void {
    const generation = String(this.source)
    if (machine.disk.current === generation) return
    if (!machine.disk.staged.includes(generation)) machine.disk.staged.push(generation)
    this.#offer(machine, generation)
  }

  #offer(machine: Machine, generation: string): void {
    const { answer, staged } = offered(machine.own, generation, machine.view.flip)
    machine.own = { ...machine.own, staged }
    machine.told = machine.own
    if (answer === 'flip') this.#show(machine, generation)
    if (answer === 'later') machine.disk.staged = machine.disk.staged.filter((one) => one !== generation)
  }

  #tell(machine: Machine): void {
    if (machine.told === undefined) return
    this.#write(machine.name, machine.told)
    machine.told = undefined
  }

  #write(name: string, report: GroupReport): void {
    const reports = new Map(this.#now.reports).set(name, report)
    const alive = new Set(this.#now.alive).add(name)
    this.#now = { ...this.#now, reports, alive, revision: this.#now.revision + 1 }
  }

  /** Sees everything up to now, of one moment, as a watch of all of it does. */
  #look(machine: Machine): void {
    machine.view = this.#now
    const { flip } = machine.view
    if (flip === undefined || flip.number === machine.own.asOf) return
    const staged = stagedAfter(machine.own, flip)
    machine.own = { ...machine.own, staged, asOf: flip.number }
    machine.disk.staged = machine.disk.staged.filter((one) => staged.includes(one))
    if (machine.disk.staged.includes(flip.generation)) this.#show(machine, flip.generation)
    machine.told = machine.own
  }

  #show(machine: Machine, generation: string): void {
    if (!machine.disk.staged.includes(generation))
      this.wrong.push(`${machine.name} shows ${generation}, and has not got it`)
    if (!this.shown.has(generation)) this.wrong.push(`${machine.name} shows ${generation}, which nobody committed`)
    if (Number(generation) < Number(machine.disk.current ?? 0)) this.wrong.push(`${machine.name} goes back`)
    machine.disk.staged = machine.disk.staged.slice(machine.disk.staged.indexOf(generation) + 1)
    machine.disk.current = generation
    machine.own = {
      ...machine.own,
      current: generation,
      staged: machine.own.staged.filter((one) => machine.disk.staged.includes(one)),
    }
    machine.told = machine.own
  }

  #decide(machine: Machine): void {
    const { flip, reports, alive } = machine.view
    const nodes = [...reports].map(([node, report]) => Object.assign({ node, alive: alive.has(node) }, report))
    const staged = new Set(nodes.flatMap((node) => node.staged))
    for (const one of machine.known.keys()) if (!staged.has(one)) machine.known.delete(one)
    for (const one of staged) if (!machine.known.has(one)) machine.known.set(one, this.nowMs)
    const knownMs = new Map([...machine.known].map(([one, sinceMs]) => [one, this.nowMs - sinceMs]))
    const decision = decideFlip({ nodes, flip, knownMs, waitMs: WAIT_MS })
    if (!('flip' in decision) || machine.view.flipRevision !== this.#now.flipRevision) return
    const { flip: generation, without } = decision
    const lacking = this.machines.filter(
      ({ name, disk }) => alive.has(name) && reports.has(name) && !lies(disk, generation),
    )
    const unexpected = lacking.filter(({ name }) => !without.includes(name))
    for (const { name } of unexpected)
      this.wrong.push(`${generation} is shown, ${name} has not got it and is not waited for`)
    if (without.length > 0) this.late += 1
    this.shown.add(generation)
    this.commits += 1
    const record = { generation, number: (flip?.number ?? 0) + 1, atMs: this.nowMs, by: machine.name, without }
    const revision = this.#now.revision + 1
    this.#now = { ...this.#now, flip: record, flipRevision: revision, revision }
  }
}

function lies({ current, staged }: Machine['disk'], generation: string): boolean {
  return current === generation || staged.includes(generation)
}

test('whatever order things happen in, nobody shows what was not agreed on or goes back, and in the end all show the newest', () => {
  let commits = 0
  let late = 0
  for (let seed = 1; seed <= 400; seed++) {
    const cluster = new Cluster(seed)
    for (let step = 0; step < 1500; step++) cluster.step(true)
    for (let step = 0; step < 1500; step++) cluster.step(false)
    expect(cluster.wrong, `seed ${seed}`).toEqual([])
    const newest = String(cluster.source)
    expect(
      cluster.live.map(({ disk }) => disk.current),
      `seed ${seed}`,
    ).toEqual(NODES.map(() => newest))
    commits += cluster.commits
    late += cluster.late
  }
  expect(commits).toBeGreaterThan(2000)
  expect(late).toBeGreaterThan(100)
})
