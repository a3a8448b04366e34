import { type Budget, isJsonArray, type Json, memberOf } from './json.ts'
import { formatPointer, parseIndex } from './pointer.ts'

/** An operation that the document does not allow, or a limit does not. */
export class Refused extends Error {
  readonly kind: 'conflict' | 'limit'
  readonly names: readonly string[]

  constructor(kind: Refused['kind'], names: readonly string[], reason: string) {
    super(reason)
    this.kind = kind
    this.names = names
  }

  get pointer(): string {
    return formatPointer(this.names)
  }
}

/** Elements that make way for one are moved as a block of memory. */
const MOVED_AT_ONCE = 16

type Own = Record<string, Json> | Json[]

/**
 * A document that operations work on, one after the other, while the one it came from stays as it is. A container is
 * copied when it is first touched and is its own from then on, so that many operations on one cost one copy.
 */
export class Draft {
  #document: Json
  readonly #own = new Set<object>()
  readonly #depth: number
  readonly #budget: Budget

  constructor(document: Json, depth: number, budget: Budget) {
    this.#document = document
    this.#depth = depth
    this.#budget = budget
  }

  get document(): Json {
    return this.#document
  }

  /** Throws `Refused` where there is nothing. */
  get(path: readonly string[]): Json {
    let at: Json = this.#document
    for (const [index, name] of path.entries()) at = inside(at, name, path.slice(0, index + 1))
    return at
  }

  add(path: readonly string[], value: Json): void {
    this.#put(path, value, (parent, name) => {
      if (!Array.isArray(parent)) {
        parent[name] = value
        return
      }
      const index = name === '-' ? parent.length : parseIndex(name)
      if (index === undefined || index > parent.length) throw nothing(path)
      this.#budget.spend((parent.length - index) / MOVED_AT_ONCE)
      parent.splice(index, 0, value)
    })
  }

  replace(path: readonly string[], value: Json): void {
    this.#put(path, value, (parent, name) => {
      inside(parent, name, path)
      if (Array.isArray(parent)) parent[Number(name)] = value
      else parent[name] = value
    })
  }

  /** Answers what was there. */
  remove(path: readonly string[]): Json {
    const name = path.at(-1)
    if (name === undefined) throw new Refused('conflict', path, 'the whole document cannot be removed')
    const parent = this.#parent(path)
    const old = inside(parent, name, path)
    if (Array.isArray(parent)) {
      this.#budget.spend((parent.length - Number(name)) / MOVED_AT_ONCE)
      parent.splice(Number(name), 1)
    } else delete parent[name]
    return old
  }

  move(from: readonly string[], path: readonly string[]): void {
    const value = this.get(from)
    if (from.length === path.length && from.every((name, index) => name === path[index])) return
    this.remove(from)
    this.add(path, value)
  }

  /** Copies for good: a value that stood twice in the draft would be changed in both places. */
  copy(from: readonly string[], path: readonly string[]): void {
    this.add(path, this.#clone(this.get(from), this.#depth))
  }

  /** The whole document, or with `into` what is in the container that the last name is in. */
  #put(path: readonly string[], value: Json, into: (parent: Own, name: string) => void): void {
    this.#checkDepth(path, value)
    const name = path.at(-1)
    if (name === undefined) this.#document = value
    else into(this.#parent(path), name)
  }

  /** The container that the last name is in, with everything on the way made the draft's own. */
  #parent(path: readonly string[]): Own {
    let at = this.#ownedRoot(path)
    for (let index = 0; index < path.length - 1; index++) {
      const way = path.slice(0, index + 1)
      const name = path[index] ?? ''
      const child = this.#owned(inside(at, name, way), way)
      if (Array.isArray(at)) at[Number(name)] = child
      else at[name] = child
      at = child
    }
    return at
  }

  #ownedRoot(path: readonly string[]): Own {
    if (typeof this.#document !== 'object' || this.#document === null) throw nothing(path)
    const root = this.#owned(this.#document, path)
    this.#document = root
    return root
  }

  #owned(value: Json, path: readonly string[]): Own {
    if (typeof value !== 'object' || value === null) {
      throw new Refused('conflict', path, 'there is a plain value, which holds nothing')
    }
    if (this.#own.has(value)) return value as Own
    const copy: Own = isJsonArray(value) ? [...value] : { ...value }
    this.#budget.spend(isJsonArray(value) ? value.length : Object.keys(value).length)
    this.#own.add(copy)
    return copy
  }

  #clone(value: Json, depth: number): Json {
    this.#budget.spend(typeof value === 'string' ? value.length + 1 : 1)
    if (typeof value !== 'object' || value === null) return value
    if (depth <= 0) throw new Refused('limit', [], `deeper than ${this.#depth}`)
    if (isJsonArray(value)) return value.map((each) => this.#clone(each, depth - 1))
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#clone(each, depth - 1)]))
  }

  #checkDepth(path: readonly string[], value: Json): void {
    if (isDeeper(value, this.#depth - path.length, this.#budget)) {
      throw new Refused('limit', path, `the document would be deeper than ${this.#depth}`)
    }
  }
}

function isDeeper(value: Json, depth: number, budget: Budget): boolean {
  budget.spend(1)
  if (depth < 0) return true
  if (typeof value !== 'object' || value === null) return false
  if (depth === 0) return true
  const children = isJsonArray(value) ? value : Object.values(value)
  return children.some((each) => isDeeper(each, depth - 1, budget))
}

function inside(container: Json, name: string, path: readonly string[]): Json {
  if (typeof container !== 'object' || container === null) throw nothing(path)
  const index = isJsonArray(container) ? parseIndex(name) : undefined
  const value = isJsonArray(container)
    ? index === undefined
      ? undefined
      : container[index]
    : memberOf(container, name)
  if (value === undefined) throw nothing(path)
  return value
}

function nothing(path: readonly string[]): Refused {
  return new Refused('conflict', path, 'there is nothing at that place')
}
