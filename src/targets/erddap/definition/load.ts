import { FlotillaError, messageOf } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import type { FileTree, TreeFile } from '../../../core/tree.ts'
import { sha256 } from '../../../lib/hash.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import type { FragmentCache } from './cache.ts'
import { decodeXml, textOf } from '../../../lib/decode-xml.ts'
import { type Fragment, FRAGMENT_BYTES_MAX, NO_DEFINITIONS, readFragment, readText } from './fragment.ts'
import { layOut, MANIFEST_NAMES } from './layout.ts'
import { MANIFEST_BYTES_MAX, readManifest, type SourceManifest } from './manifest.ts'
import { Pace } from '../../../lib/pace.ts'
import { countLines } from '../../../lib/text-place.ts'
import { rootOf } from './record.ts'

/** A fragment or template with what it was read from. */
export interface Source {
  /** Hash of everything it was read from. */
  readonly key: string
  readonly fragment: Fragment
  /** Its file, or files if it is a prefix and a postfix, each with the line of the fragment on which it begins. */
  readonly parts: readonly Part[]
}

export interface Part {
  readonly path: string
  readonly line: number
}

export interface LoadedTree {
  readonly template: Source | undefined
  /** In the order in which they go into datasets.xml. */
  readonly fragments: readonly Source[]
  readonly problems: readonly Problem[]
}

export interface LoadOptions {
  readonly cache: FragmentCache
  /** Used instead of a template of the tree. */
  readonly template?: GivenTemplate | undefined
}

export interface GivenTemplate {
  readonly path: string
  readonly bytes: Uint8Array
}

/** Reads every definition of a tree. A file that cannot be read is a problem; a tree that changes meanwhile rejects. */
export function loadTree(tree: FileTree, options: LoadOptions, op: Op = {}): Promise<LoadedTree> {
  return new Loader(tree, options, op).load()
}

/** A template or a compiled file holds many datasets. */
const COLLECTION_BYTES_MAX = 256 * 1024 * 1024
const PARALLEL_READS = 16

class Loader {
  readonly #tree: FileTree
  readonly #options: LoadOptions
  readonly #op: Op
  readonly #pace: Pace
  readonly #problems: Problem[] = []

  constructor(tree: FileTree, options: LoadOptions, op: Op) {
    this.#tree = tree
    this.#options = options
    this.#op = op
    this.#pace = new Pace(op)
  }

  async load(): Promise<LoadedTree> {
    const layout = layOut(this.#tree.files, await this.#manifest())
    this.#problems.push(...layout.problems)
    const { compiled } = layout
    let fragments = layout.fragments
    let template = await this.#template(layout.around)
    if (compiled !== undefined && template === undefined && fragments.length === 0) {
      template = await this.#source(compiled, COLLECTION_BYTES_MAX)
    } else if (compiled !== undefined && !(await this.#isCollection(compiled))) {
      fragments = [...fragments, compiled].toSorted((a, b) => (a.path < b.path ? -1 : 1))
    }
    const loaded = await this.#sources(fragments)
    await this.#warnOf(layout.leftOut, layout.leftOutBecause)
    return { template, fragments: loaded, problems: this.#problems }
  }

  async #manifest(): Promise<SourceManifest | undefined> {
    const file = this.#tree.files.find(({ path }) => MANIFEST_NAMES.includes(path))
    if (file === undefined) return undefined
    const bytes = await this.#bytes(file, MANIFEST_BYTES_MAX)
    return readManifest(file.path, bytes === undefined ? '' : Buffer.from(bytes).toString())
  }

  async #template(around: readonly TreeFile[]): Promise<Source | undefined> {
    const given = this.#options.template
    if (given !== undefined) return this.#read(sha256(given.bytes), given.path, given.bytes)
    const [first, second] = around
    if (first === undefined) return undefined
    return second === undefined ? this.#source(first, COLLECTION_BYTES_MAX) : this.#pair(first, second)
  }

  /** A prefix and a postfix are well-formed only together. */
  async #pair(prefix: TreeFile, postfix: TreeFile): Promise<Source | undefined> {
    const texts: string[] = []
    for (const file of [prefix, postfix]) {
      const bytes = await this.#bytes(file, COLLECTION_BYTES_MAX)
      if (bytes === undefined) return undefined
      const decoded = decodeXml(bytes)
      if ('code' in decoded) {
        this.#problems.push({ ...decoded, severity: 'error', file: file.path })
        return undefined
      }
      texts.push(textOf(decoded))
    }
    const [head = '', tail = ''] = texts
    const key = sha256(`${prefix.sha256} ${postfix.sha256}`)
    const fragment = await this.#cached(key, () => readText(`${head}\n${tail}`))
    const parts = [
      { path: prefix.path, line: 1 },
      { path: postfix.path, line: countLines(head, 0, head.length) + 2 },
    ]
    return { key, fragment, parts }
  }

  async #sources(files: readonly TreeFile[]): Promise<readonly Source[]> {
    const sources = new Map<TreeFile, Source>()
    await forEachLimited(files, PARALLEL_READS, async (file) => {
      const source = await this.#source(file, FRAGMENT_BYTES_MAX)
      if (source !== undefined) sources.set(file, source)
    })
    return files.flatMap((file) => sources.get(file) ?? [])
  }

  async #source(file: TreeFile, bytesMax: number): Promise<Source | undefined> {
    await this.#pace.rest()
    const held = this.#options.cache.get(file.sha256)
    if (held !== undefined) return { key: file.sha256, fragment: held, parts: [{ path: file.path, line: 1 }] }
    const bytes = await this.#bytes(file, bytesMax)
    return bytes === undefined ? undefined : this.#read(file.sha256, file.path, bytes)
  }

  async #read(key: string, path: string, bytes: Uint8Array): Promise<Source> {
    const fragment = await this.#cached(key, () => readFragment(bytes))
    return { key, fragment, parts: [{ path, line: 1 }] }
  }

  async #cached(key: string, read: () => Promise<Fragment>): Promise<Fragment> {
    const held = this.#options.cache.get(key)
    if (held !== undefined) return held
    const fragment = await read()
    this.#options.cache.set(key, fragment)
    return fragment
  }

  async #bytes(file: TreeFile, bytesMax: number): Promise<Uint8Array | undefined> {
    if (file.size > bytesMax) {
      const message = `the file has ${file.size} bytes; at most ${bytesMax} are read`
      this.#problems.push({ severity: 'error', code: 'FILE_TOO_LARGE', file: file.path, message, hint: 'Split it.' })
      return undefined
    }
    try {
      return await this.#tree.read(file.path, this.#op)
    } catch (error) {
      this.#op.signal?.throwIfAborted()
      if (error instanceof FlotillaError) throw error
      const message = `the file could not be read: ${messageOf(error)}`
      this.#problems.push({ severity: 'error', code: 'FILE_UNREADABLE', file: file.path, message })
      return undefined
    }
  }

  async #isCollection(file: TreeFile): Promise<boolean> {
    const key = `root ${file.sha256}`
    const held = this.#options.cache.get(key)
    if (held !== undefined) return held.kind === 'collection'
    const bytes = await this.#bytes(file, COLLECTION_BYTES_MAX)
    const decoded = bytes === undefined ? undefined : decodeXml(bytes)
    const isCollection = decoded !== undefined && 'utf8' in decoded && rootOf(textOf(decoded)).name === 'erddapDatasets'
    this.#options.cache.set(key, { ...NO_DEFINITIONS, kind: isCollection ? 'collection' : 'fragment' })
    return isCollection
  }

  async #warnOf(leftOut: readonly TreeFile[], because: string): Promise<void> {
    const problems = this.#problems.length
    const sources = await this.#sources(leftOut)
    // Whatever is wrong with a file that is not used does not matter.
    this.#problems.length = problems
    for (const { fragment, parts } of sources) {
      if (fragment.datasets.length === 0 || fragment.kind !== 'fragment') continue
      const message = `left out, because ${because}`
      this.#problems.push({ severity: 'warning', code: 'MANIFEST_UNLISTED', file: parts[0]?.path ?? '', message })
    }
  }
}
