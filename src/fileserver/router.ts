import type { ServedTree } from './options.ts'

/** What a bucket is: a tree, or with `tree` undefined everything that is served, with keys `tree/key`. */
export interface Bucket {
  readonly name: string
  readonly tree: ServedTree | undefined
}

export interface Place {
  /** Undefined where the path names none. */
  readonly bucket: Bucket | undefined
  /** Empty: the bucket itself. Without a bucket, the path that begins with what was taken for one. */
  readonly key: string
  /** The bucket was not named: the path did not begin with one. */
  readonly isGuess: boolean
}

/** Under this name Open-Meteo's bucket holds what its server calls by paths without one. */
export const EVERYTHING = 'openmeteo'

/**
 * Which tree and key a request is for. `/<tree>/<key>`, `<tree>.<domain>/<key>`; a path that begins with no tree is a key of
 * the tree `openmeteo`, or of the only tree. Where there is no tree of that name, `/openmeteo/` stands for everything.
 */
export class Router {
  readonly #trees: ReadonlyMap<string, Bucket>
  readonly #suffix: string | undefined
  readonly #guess: Bucket | undefined
  /** What `/` lists where it is asked for a listing. */
  readonly root: Bucket

  constructor(trees: readonly ServedTree[], domain: string | undefined) {
    this.#trees = new Map(trees.map((tree) => [tree.name, { name: tree.name, tree }]))
    this.#suffix = domain === undefined ? undefined : `.${domain}`
    const openMeteo = this.#trees.get(EVERYTHING)
    this.root = openMeteo ?? { name: EVERYTHING, tree: undefined }
    this.#guess = openMeteo ?? (trees.length === 1 ? this.#trees.values().next().value : undefined)
  }

  /** The bucket that the host of a request names. */
  bucketOfHost(host: string | undefined): string | undefined {
    if (this.#suffix === undefined || host === undefined) return undefined
    const name = host.replace(/:\d+$/, '').toLowerCase()
    return name.endsWith(this.#suffix) ? name.slice(0, -this.#suffix.length) : undefined
  }

  /** `path` is decoded and starts with a slash. */
  place(path: string, bucketOfHost: string | undefined): Place {
    if (bucketOfHost !== undefined) return this.#of(bucketOfHost, path.slice(1)) ?? nowhere(`${bucketOfHost}${path}`)
    const slash = path.indexOf('/', 1)
    const name = slash === -1 ? path.slice(1) : path.slice(1, slash)
    if (name === '' && slash === -1) return nowhere('')
    const place = this.#of(name, slash === -1 ? '' : path.slice(slash + 1))
    if (place !== undefined) return place
    if (this.#guess === undefined) return nowhere(path.slice(1))
    return { bucket: this.#guess, key: path.slice(1), isGuess: true }
  }

  /** The tree and key that a key of a bucket stands for; undefined where everything is meant and nothing is called so. */
  resolve({ tree }: Bucket, key: string): { readonly tree: ServedTree; readonly key: string } | undefined {
    if (tree !== undefined) return { tree, key }
    const slash = key.indexOf('/')
    const named = this.#trees.get(key.slice(0, Math.max(slash, 0)))?.tree
    return named === undefined ? undefined : { tree: named, key: key.slice(slash + 1) }
  }

  #of(name: string, key: string): Place | undefined {
    const bucket = this.#trees.get(name) ?? (name === EVERYTHING ? this.root : undefined)
    return bucket && { bucket, key, isGuess: false }
  }
}

function nowhere(key: string): Place {
  return { bucket: undefined, key, isGuess: true }
}
