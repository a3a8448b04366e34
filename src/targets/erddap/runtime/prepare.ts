import type { Op } from '../../../core/op.ts'
import type { ListName } from '../../../core/lists.ts'
import type { StagedRelease } from '../../../core/target.ts'
import type { TreeFile } from '../../../core/tree.ts'
import { sha256 } from '../../../lib/hash.ts'
import type { FragmentCache } from '../definition/cache.ts'
import { checkPaths } from '../definition/check-paths.ts'
import { compile, type CompiledDataset } from '../definition/compile.ts'
import type { Desired, Prepared } from './model.ts'

export interface PrepareOptions {
  readonly node: string
  /** What `${node.NAME}` stands for, besides `name` and `files`. */
  readonly values: ReadonlyMap<string, string>
  readonly filesDirectory: string
  /** Settings of the cluster's lists that were written here before. */
  readonly lists: readonly ListName[]
  readonly cache: FragmentCache
}

/** What travels with the definitions without being named by one of them. */
const SIDE_FILES = 'files/'

/** Compiles a release for this node, in memory. Rejects with `PREPARE_FAILED` and the problems. */
export async function prepare(release: StagedRelease, options: PrepareOptions, op?: Op): Promise<Prepared> {
  const { filesDirectory, node, cache } = options
  const { tree, manifest, number, requests, lists, samples = [] } = release
  const values = new Map([...options.values, ['name', node], ['files', filesDirectory]])
  const merging = lists && { lists, before: options.lists }
  const compiled = await compile({ tree, manifest, values, lists: merging, cache }, op)
  const datasets = compiled.datasets.map((dataset) => desired(dataset, filesDirectory, tree.files))
  const used = new Set(datasets.flatMap(({ files }) => files))
  const sideFiles = tree.files.filter(({ path }) => path.startsWith(SIDE_FILES) || used.has(path))
  const missing = await checkPaths(compiled.datasets, op)
  return {
    number,
    compiled,
    datasets: new Map(datasets.map((dataset) => [dataset.id, dataset])),
    sideFiles: new Map(sideFiles.map((file) => [file.path, file.sha256])),
    tree,
    requests,
    samples,
    // Files that this release brings are placed after this check.
    warnings: [...compiled.warnings, ...missing.filter(({ message }) => !message.includes(filesDirectory))],
  }
}

function desired(dataset: CompiledDataset, folder: string, files: readonly TreeFile[]): Desired {
  const { buffer, byteOffset, byteLength } = dataset.source
  const source = Buffer.from(buffer, byteOffset, byteLength)
  const used = usedFiles(source, folder, files)
  const parts = used.map((file) => `${file.path} ${file.sha256}`)
  const digest = used.length === 0 ? dataset.digest : sha256([dataset.digest, ...parts].join('\n'))
  return { ...dataset, digest, restricted: source.includes('<accessibleTo>'), files: used.map(({ path }) => path) }
}

/** The files of the tree that a definition names under `${node.files}`, themselves or by a folder they lie in. */
function usedFiles(source: Buffer, folder: string, files: readonly TreeFile[]): readonly TreeFile[] {
  if (!source.includes(folder)) return []
  const behind = source.toString('utf8').split(`${folder}/`).slice(1)
  const names = behind
    .map((text) => /^[^<>"'\s]*/.exec(text)?.[0].replace(/\/$/, '') ?? '')
    .filter((name) => name !== '')
  return files.filter(({ path }) => names.some((name) => path === name || path.startsWith(`${name}/`)))
}
