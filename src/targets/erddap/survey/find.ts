import type { Dirent } from 'node:fs'
import { lstat, readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Op } from '../../../core/op.ts'

/** What lies below a folder that belongs to an ERDDAP. Found by looking only: nothing is opened for writing. */
export interface Found {
  /** Folders that hold datasets.xml or setup.xml as ERDDAP reads them. */
  readonly contentDirectories: readonly string[]
  /** Folders with ERDDAP's own sub-folders. */
  readonly bigParentDirectories: readonly string[]
  /** Folders of fragments. */
  readonly sources: readonly string[]
  /** Scripts and settings of docker-erddap that make a datasets.xml. */
  readonly scripts: readonly Script[]
  /** Not looked into, as there was too much. */
  readonly cut: boolean
}

export interface Script {
  readonly path: string
  /** Lines that name the script or its variables; no line that could hold a password. */
  readonly lines: readonly string[]
}

const LIMITS = { depth: 5, folders: 3000, entries: 20_000, fileBytes: 1024 * 1024, lines: 20 } as const

/** Of bigParentDirectory, beside `flag`: where there are two of them, it is one. (EDStatic) */
const PARENT_SIGNS = ['badFilesFlag', 'hardFlag', 'cache', 'dataset', 'decompressed', 'lucene', 'logs', 'copy', 'flag']
/** Large, and of no use here. */
const NOT_INTO = new Set([
  'node_modules',
  'webapps',
  'cache',
  'lucene',
  'copy',
  'decompressed',
  'dataset',
  'logs',
  'lib',
])
const DATASETS_D = /^datasets?\.d$/i
const DOCKER =
  /^(?:docker-compose.*\.ya?ml|compose.*\.ya?ml|Dockerfile.*|\.env.*|.*\.env|entrypoint.*\.sh|datasets\.d\.sh)$/i
const AXIOM = /datasets\.d\.sh|ERDDAP_DATASETS_/

export async function find(path: string, op: Op = {}): Promise<Found> {
  const search = new Search(op)
  await search.look(path, 0)
  const { contentDirectories, bigParentDirectories, sources, scripts, cut } = search
  return { contentDirectories, bigParentDirectories, sources, scripts, cut }
}

class Search implements Found {
  readonly contentDirectories: string[] = []
  readonly bigParentDirectories: string[] = []
  readonly sources: string[] = []
  readonly scripts: Script[] = []
  cut = false
  #folders = 0
  readonly #op: Op

  constructor(op: Op) {
    this.#op = op
  }

  async look(folder: string, depth: number): Promise<void> {
    this.#op.signal?.throwIfAborted()
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
    this.#folders += 1
    if (this.#folders > LIMITS.folders || entries.length > LIMITS.entries || depth > LIMITS.depth) {
      this.cut = true
      return
    }
    const names = new Set(entries.map(({ name }) => name))
    if (names.has('setup.xml') || (await hasDatasets(folder, names))) this.contentDirectories.push(folder)
    const isParent = PARENT_SIGNS.filter((name) => names.has(name)).length >= 2 && !names.has('setup.xml')
    if (isParent) this.bigParentDirectories.push(folder)
    await this.#takeScripts(folder, entries)
    if (await isSource(folder, entries)) {
      this.sources.push(folder)
      return
    }
    for (const entry of entries) {
      if (entry.isDirectory() && !entry.name.startsWith('.') && !NOT_INTO.has(entry.name) && !isParent) {
        await this.look(join(folder, entry.name), depth + 1)
      }
    }
  }

  async #takeScripts(folder: string, entries: readonly Dirent[]): Promise<void> {
    for (const { name } of entries.filter((entry) => entry.isFile() && DOCKER.test(entry.name))) {
      const text = await readText(join(folder, name))
      const lines = text.split('\n').filter((line) => AXIOM.test(line) && !/pass|secret|user/i.test(line))
      if (lines.length > 0 || name === 'datasets.d.sh') {
        this.scripts.push({ path: join(folder, name), lines: lines.slice(0, LIMITS.lines).map((line) => line.trim()) })
      }
    }
  }
}

/** Below a template a repository may have a datasets.xml too; ERDDAP's own stands beside nothing else of datasets. */
async function hasDatasets(folder: string, names: ReadonlySet<string>): Promise<boolean> {
  if (!names.has('datasets.xml') || names.has('datasets.d') || names.has('datasets.yaml')) return false
  return (await readStart(join(folder, 'datasets.xml'))).includes('<erddapDatasets')
}

async function isSource(folder: string, entries: readonly Dirent[]): Promise<boolean> {
  if (DATASETS_D.test(basename(folder))) return true
  if (entries.some(({ name }) => name === 'datasets.yaml')) return true
  const fragments = entries.filter(
    (entry) => entry.isFile() && entry.name.endsWith('.xml') && entry.name !== 'setup.xml',
  )
  for (const { name } of fragments.slice(0, 5)) {
    const start = await readStart(join(folder, name))
    if (/<dataset\s/.test(start) && !start.includes('<erddapDatasets')) return true
  }
  return false
}

async function readStart(path: string): Promise<string> {
  return (await readText(path)).slice(0, 64 * 1024)
}

async function readText(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile() !== true || found.size > LIMITS.fileBytes * 32) return ''
  return await readFile(path, 'utf8').catch(() => '')
}

export async function isFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined)
  return (
    found?.isDirectory() === true ||
    (found?.isSymbolicLink() === true && (await stat(path).catch(() => undefined))?.isDirectory() === true)
  )
}
