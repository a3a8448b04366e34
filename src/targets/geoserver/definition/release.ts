import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import type { FileTree, TreeFile } from '../../../core/tree.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import { Pace } from '../../../lib/pace.ts'
import { assemble } from './assemble.ts'
import { classify, VERSIONS_FILE } from './classify.ts'
import type { Catalog, CatalogEntry } from './model.ts'
import { Overlay } from './overlay.ts'
import { parseFile, type ParsedFile } from './parsed.ts'
import { isPlain, plainEntry, portable } from './portable.ts'
import { plainPasswordsIn } from './secrets.ts'
import { XML_BYTES_MAX } from './xml.ts'

/** What one file of a release says, whatever stands in others. */
interface ReadFile {
  readonly entry?: CatalogEntry | undefined
  readonly problems: readonly Problem[]
}

const PARALLEL_READS = 16
/** Some hundred bytes each. */
const HELD_MAX = 400_000
const NONE: readonly Problem[] = []

/** Reads releases, and keeps what each file said: the next release costs only the files that changed. */
export class ReleaseReader {
  readonly #overlay: Overlay
  /** By hash and path; what was not asked for longest goes first. */
  readonly #held = new Map<string, ReadFile>()

  constructor(overlay = new Overlay()) {
    this.#overlay = overlay
  }

  /** The catalog of a release. A file that does not belong into one is a problem. */
  async read(tree: FileTree, op: Op = {}): Promise<Catalog> {
    const pace = new Pace(op)
    const problems: Problem[] = [...(tree.problems ?? [])]
    const entries: CatalogEntry[] = []
    await forEachLimited(tree.files, PARALLEL_READS, async (file) => {
      if (file.path === VERSIONS_FILE) return
      await pace.rest()
      const { entry, problems: found } = await this.#file(tree, file, op)
      if (entry !== undefined) entries.push(entry)
      problems.push(...found)
    })
    return assemble(entries, problems.toSorted(byFile))
  }

  async #file(tree: FileTree, file: TreeFile, op: Op): Promise<ReadFile> {
    const place = classify(file.path)
    if (place.class !== undefined && isPlain(place, file.path)) {
      return { entry: plainEntry(file.path, place.class, file.size, file.sha256), problems: NONE }
    }
    const key = `${file.sha256} ${file.path}`
    const held = this.#held.get(key)
    if (held !== undefined) this.#held.delete(key)
    const read = held ?? (await this.#read(tree, file, op))
    this.#held.set(key, read)
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= HELD_MAX) break
      this.#held.delete(oldest)
    }
    return read
  }

  async #read(tree: FileTree, { path, size }: TreeFile, op: Op): Promise<ReadFile> {
    if (size > XML_BYTES_MAX) {
      const message = `the file has ${size} bytes; at most ${XML_BYTES_MAX} are read`
      return { problems: [{ severity: 'error', code: 'FILE_TOO_LARGE', file: path, message }] }
    }
    // What is left out is refused by its name.
    const bytes = classify(path).leftOut === undefined ? await tree.read(path, op) : new Uint8Array()
    const file = parseFile(path, bytes)
    const made = portable(file, { ids: NO_IDS, overlay: this.#overlay })
    return 'problem' in made ? { problems: [made.problem] } : { entry: made.entry, problems: plainPasswords(file) }
  }
}

const NO_IDS: ReadonlyMap<string, string> = new Map()

function byFile(a: Problem, b: Problem): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : 0
}

function plainPasswords({ path, xml }: ParsedFile): readonly Problem[] {
  if (xml === undefined) return NONE
  return Array.from(plainPasswordsIn(xml.root), (element) => ({
    severity: 'warning',
    code: 'PASSWORD_PLAIN',
    file: path,
    ...xml.placeOf(element),
    message: `<${element.name}> holds a password in plain`,
    hint: 'Let GeoServer encrypt it, or write ${name} and give each node its value.',
  }))
}
