import type { DiffAnswer, WhyAnswer } from '../core/api.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { baseOf } from '../core/release.ts'
import type { ItemChange, TreeItem, TreeKind } from '../core/tree.ts'
import type { History, Loaded } from './history.ts'
import { compareFiles, isSameContent, withOverrides } from './rules.ts'

/** So many releases, and so far back, does a person look for what happened to one item. */
const CHANGES_MAX = 20
const RELEASES_MAX = 50

type ChangeOf = Omit<WhyAnswer['history'][number], 'outcome'>

/** Compares releases item by item, as the kind of their tree understands them. */
export class Differences {
  readonly #kinds: ReadonlyMap<string, TreeKind>
  readonly #history: History

  constructor(kinds: readonly TreeKind[], history: History) {
    this.#kinds = new Map(kinds.map((kind) => [kind.kind, kind]))
    this.#history = history
  }

  /** Throws `BAD_REQUEST`. */
  kind(name: string): TreeKind {
    const kind = this.#kinds.get(name)
    if (kind !== undefined) return kind
    throw new FlotillaError('BAD_REQUEST', `there is no kind of tree ${JSON.stringify(name)}`, {
      hint: `Known kinds: ${[...this.#kinds.keys()].join(', ')}.`,
    })
  }

  async items({ number, manifest, tree, items }: Loaded, op: Op): Promise<readonly TreeItem[]> {
    if (number === 0 || items !== undefined) return items ?? []
    return (await this.kind(manifest.kind).check(tree, { active: manifest.active }, op)).items
  }

  async between(from: Loaded, to: Loaded, op: Op): Promise<readonly ItemChange[]> {
    if (isSameContent(from.manifest, to.manifest)) return []
    const compared = await this.kind(to.manifest.kind || from.manifest.kind).compare(from.tree, to.tree, op)
    const [before, after] = [await this.items(from, op), await this.items(to, op)]
    return withOverrides(compared, before, after)
  }

  async diff(tree: string, from: number, to: number, op: Op): Promise<DiffAnswer> {
    const [before, after] = [await this.#history.load(tree, from, op), await this.#history.load(tree, to, op)]
    return {
      tree,
      from,
      to,
      files: compareFiles(before.manifest.files, after.manifest.files),
      changes: await this.between(before, after, op),
    }
  }

  /** The releases that changed one item, newest first, those taken back too, as far back as their contents are held. */
  async of(tree: string, id: string, op: Op): Promise<readonly ChangeOf[]> {
    const found: ChangeOf[] = []
    const held = new Map<number, Loaded | undefined>()
    const load = async (number: number): Promise<Loaded | undefined> => {
      if (!held.has(number)) held.set(number, await this.held(tree, number, op))
      return held.get(number)
    }
    for (const record of await this.#history.newest(tree, RELEASES_MAX, op)) {
      const [from, to] = [await load(baseOf(record)), await load(record.number)]
      if (from === undefined || to === undefined || found.length === CHANGES_MAX) break
      const change = (await this.between(from, to, op)).find((candidate) => candidate.id === id)
      const { number: release, author, message, atMs } = record
      if (change !== undefined) found.push({ release, author, message, atMs, change })
    }
    return found
  }

  /** Undefined where its contents are not held any more. */
  async held(tree: string, number: number, op: Op): Promise<Loaded | undefined> {
    try {
      return await this.#history.load(tree, number, op)
    } catch (error) {
      if (isError(error, 'NOT_FOUND')) return undefined
      throw error
    }
  }
}
