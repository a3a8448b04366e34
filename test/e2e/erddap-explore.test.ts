import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Lists, NO_LISTS } from '../../src/core/lists.ts'
import type { StagedRelease, TargetReport } from '../../src/core/target.ts'
import { sha256 } from '../../src/lib/hash.ts'
import { files, remote } from '../../standin/erddap/test-kit.ts'
import { ErddapNode } from '../helpers/erddap-node.ts'
import { releaseOf } from '../helpers/erddap-release.ts'
import { seeded } from '../helpers/random.ts'

const SEEDS = process.env['FLOTILLA_SOAK'] === '1' ? 150 : 4
const MOVES = 25

/** What a person changes from one release to the next. */
interface Wanted {
  readonly title: number
  readonly type: string
  readonly active: boolean
}

class Story {
  readonly #random: () => number
  readonly #node: ErddapNode
  readonly #version: string
  readonly #datasets = new Map<string, Wanted>()
  readonly #moves: string[] = []
  #removed: Record<string, { type: string; release: number }> = {}
  #number = 0
  #counter = 0
  #release: StagedRelease
  readonly #releases: StagedRelease[] = []
  #blocked: readonly string[] = []

  constructor(seed: number, node: ErddapNode) {
    this.#random = seeded(seed)
    this.#node = node
    this.#version = this.#pick(['2.18', '2.31'])
    for (const id of ['a', 'b', 'c']) this.#datasets.set(id, { title: 0, type: 'float', active: true })
    this.#release = this.#make()
  }

  get moves(): readonly string[] {
    return this.#moves
  }

  async begin(): Promise<void> {
    await this.#node.turn(this.#release)
    await this.#node.startLater({ version: this.#version })
    this.#node.forget()
    await this.end()
  }

  async move(): Promise<void> {
    const moves = {
      change: () => this.#change(),
      changeMore: () => this.#change(),
      look: () => this.#look(),
      lookAgain: () => this.#look(),
      lookOnceMore: () => this.#look(),
      die: () => this.#die(),
      edit: () => this.#edit(),
      spoil: () => this.#spoil(),
      goBack: () => this.#goBack(),
      block: () => this.#block(),
      setClock: () => this.#setClock(),
      flag: () => this.#flag(),
      restart: () => this.#restart(),
    }
    const [name, next] = this.#pick(Object.entries(moves))
    this.#moves.push(name)
    await next()
  }

  async end(): Promise<void> {
    await this.#node.loaded()
    const { badReads = [] } = this.#node.erddap?.stats ?? {}
    if (badReads.some(({ kind }) => kind === 'major')) {
      // An ERDDAP whose first load broke off puts some datasets off until a major load comes to its end, some time later.
      await this.#node.turn(this.#release)
      await this.#node.erddap?.majorLoad()
    }
    await this.#check(await this.#node.inStep(this.#release))
  }

  async #change(): Promise<void> {
    for (let times = 1 + this.#below(2); times > 0; times--) this.#mutate()
    this.#release = this.#make()
    await Promise.resolve()
  }

  #mutate(): void {
    const id = this.#pick(['a', 'b', 'c', 'd', 'e'])
    const now = this.#datasets.get(id)
    this.#counter += 1
    if (now === undefined) {
      this.#datasets.set(id, { title: this.#counter, type: 'float', active: true })
      delete this.#removed[id]
    } else {
      const how = this.#below(10)
      if (how < 4) this.#datasets.set(id, { ...now, title: this.#counter })
      else if (how < 6) this.#datasets.set(id, { ...now, type: now.type === 'float' ? 'double' : 'float' })
      else if (how < 8) this.#datasets.set(id, { ...now, active: !now.active })
      else {
        this.#datasets.delete(id)
        this.#removed[id] = { type: 'EDDTableFromAsciiFiles', release: this.#number + 1 }
      }
    }
  }

  #make(): StagedRelease {
    this.#number += 1
    const node = this.#node
    const sources = [...this.#datasets].map(([id, { title, type }]) => {
      const source =
        id < 'c'
          ? remote(id, `Title ${title}`, `<reloadEveryNMinutes>${type === 'float' ? 100 : 200}</reloadEveryNMinutes>`)
          : files(id, `Title ${title}`, node.data)
      return [`${id}.xml`, source.replace('>float<', `>${type}<`)]
    })
    const active = Object.fromEntries([...this.#datasets].filter(([, each]) => !each.active).map(([id]) => [id, false]))
    const parts = { active, removed: this.#removed, lists: this.#lists() }
    const release = releaseOf(this.#number, Object.fromEntries(sources), parts)
    this.#releases.push(release)
    return release
  }

  async #look(): Promise<void> {
    await this.#check(await this.#node.turn(this.#release))
    await delay(this.#below(120))
  }

  /** The agent is gone in the middle of its steps, and a new one comes. */
  async #die(): Promise<void> {
    const target = this.#node.makeTarget()
    const prepared = await target.prepare(this.#release)
    const steps = target.plan(prepared, await target.observe(prepared))
    for (const step of steps.slice(0, this.#below(steps.length + 1))) await target.apply(step)
    this.#node.forget()
  }

  async #edit(): Promise<void> {
    // ERDDAP may load meanwhile what the agent has asked for, and the agent never sees that it did.
    await delay(this.#below(80))
    this.#node.overwrite(this.#node.xml().replace(/Title \d+/, `Title by hand ${this.#below(100)}`))
    if (this.#below(2) === 0) await this.#flag()
  }

  /** Somebody's mistake stops ERDDAP in the middle of the file. */
  async #spoil(): Promise<void> {
    const starts = [...this.#node.xml().matchAll(/<dataset /g)].map(({ index }) => index)
    if (starts.length === 0) return
    const at = this.#pick(starts)
    await delay(this.#below(80))
    const xml = this.#node.xml()
    this.#node.overwrite(`${xml.slice(0, at)}<nonsense/>${xml.slice(at)}`)
    if (this.#below(2) === 0) await this.#flag()
    else await this.#node.erddap?.majorLoad()
  }

  /** As a rollout does that is taken back: to a release that was there before, with the number that it had. */
  async #goBack(): Promise<void> {
    this.#release = { ...this.#pick(this.#releases.slice(-4)), lists: this.#lists() }
    await Promise.resolve()
  }

  async #block(): Promise<void> {
    this.#blocked = Array.from({ length: this.#below(3) }, () => `192.0.2.${this.#below(4)}`)
    this.#release = { ...this.#release, lists: this.#lists() }
    await Promise.resolve()
  }

  #lists(): Lists {
    return { ...NO_LISTS, requestBlacklist: this.#blocked }
  }

  async #setClock(): Promise<void> {
    this.#node.setClock((this.#below(3) - 1) * 3_600_000)
    await Promise.resolve()
  }

  async #flag(): Promise<void> {
    writeFileSync(join(this.#node.bigParentDir, 'flag', this.#pick(['a', 'b', 'c', 'd', 'e'])), '')
    await delay(this.#below(60))
  }

  async #restart(): Promise<void> {
    await this.#node.stop()
    if (this.#below(2) === 0) await this.#look()
    await this.#node.start({ version: this.#version, loadMs: this.#below(20) })
  }

  /** Whatever is reported as served must be what ERDDAP serves, to the byte. */
  async #check(report: TargetReport): Promise<void> {
    if (report.state !== 'in-step') return
    const prepared = await this.#node.target.prepare(this.#release)
    const wanted = [...prepared.datasets.values()].filter(({ active }) => active)
    const truth = new Map<string, string | undefined>()
    for (const { id, event, digest } of this.#node.erddap?.stats.events ?? []) {
      if (event === 'loaded') truth.set(id, digest)
      else truth.delete(id)
    }
    expect([...truth.keys()].toSorted()).toEqual(wanted.map(({ id }) => id).toSorted())
    for (const { id, source } of wanted) expect([id, truth.get(id)]).toEqual([id, sha256(source)])
    expect(report).toMatchObject({ applied: this.#release.number, served: this.#release.number })
    const inForce = (this.#node.erddap?.setting('requestBlacklist') ?? '').split(',').filter((each) => each !== '')
    expect(inForce).toEqual([...new Set(this.#blocked)].toSorted())
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)] as T
  }
}

test.for(Array.from({ length: SEEDS }, (_, index) => index + 1))(
  'whatever happens in whatever order, what is reported as served is served, and in the end all is (seed %i)',
  { timeout: 120_000 },
  async (seed) => {
    const story = new Story(seed, new ErddapNode({ retryMs: 100 }))
    try {
      await story.begin()
      for (let move = 0; move < MOVES; move++) await story.move()
      await story.end()
    } catch (error) {
      throw new Error(`after ${story.moves.join(', ')}: ${String(error)}`, { cause: error })
    }
  },
)
