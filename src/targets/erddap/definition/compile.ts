import type { ListName } from '../../../core/lists.ts'
import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import type { FileTree, Manifest } from '../../../core/tree.ts'
import { adapt, type Adaptation, prepareFailed } from './adapt.ts'
import { Assembly, LF } from './assembly.ts'
import { FragmentCache } from './cache.ts'
import { problemsOf, sourcesOf } from './check.ts'
import type { Fragment } from './fragment.ts'
import { leftOut, type ListsInput, mergeLists, withoutLists } from './lists.ts'
import { type GivenTemplate, type LoadedTree, loadTree, type Source } from './load.ts'
import { Pace } from '../../../lib/pace.ts'

export interface CompileInput {
  readonly tree: FileTree
  readonly manifest: Pick<Manifest, 'active' | 'removed'>
  /** What `${node.NAME}` stands for on this node, by NAME, such as `name` and `files`. */
  readonly values: ReadonlyMap<string, string>
  /** Used instead of a template of the tree. `path` is for messages. */
  readonly template?: GivenTemplate | undefined
  /** The cluster's lists, for the settings of their names. Without them these stay as the definitions have them. */
  readonly lists?: ListsInput | undefined
  /** Makes the second compile read only what changed. */
  readonly cache?: FragmentCache | undefined
}

export interface CompiledDataset {
  readonly id: string
  readonly type: string
  /** As written to the file, overrides applied. */
  readonly active: boolean
  /** Stands for a dataset that an earlier release had: inactive, so that ERDDAP unloads it. */
  readonly tombstone: boolean
  /** Changes exactly when the meaning changes, `active` included. The same as `splitDatasets` finds in the written file. */
  readonly digest: string
  /** The element's bytes as they stand in the compiled file. */
  readonly source: Uint8Array
  /** Where it is defined; for a tombstone the empty string and 0. */
  readonly path: string
  readonly line: number
}

export interface Compiled {
  /** The file in pieces, as `writeAtomic` takes it. */
  readonly chunks: readonly Uint8Array[]
  readonly size: number
  readonly sha256: string
  /** In the order of the file. */
  readonly datasets: readonly CompiledDataset[]
  /** Changes exactly when a setting outside the datasets changes. */
  readonly topDigest: string
  /** The settings among these that hold lists of the cluster. */
  readonly lists: readonly ListName[]
  readonly warnings: readonly Problem[]
  /** The fragment's own line behind a line of the compiled file; undefined for lines that Flotilla wrote itself. */
  locate(line: number): { readonly file: string; readonly line: number } | undefined
}

/**
 * Makes ERDDAP's datasets.xml of a tree of fragments. Deterministic: the same input gives the same bytes on every node.
 * Rejects with `PREPARE_FAILED` and the problems when anything is wrong that a check refuses.
 */
export async function compile(input: CompileInput, op?: Op): Promise<Compiled> {
  const { active, removed } = input.manifest
  const cache = input.cache ?? new FragmentCache()
  const loaded = await loadTree(input.tree, { cache, template: input.template }, op)
  const problems = problemsOf(loaded, { active, nodeValues: new Set(input.values.keys()) })
  if (problems.some(({ severity }) => severity === 'error')) throw prepareFailed(problems)
  const { template, fragments } = await adaptAll(loaded, { values: input.values, active, cache }, new Pace(op))
  const all = [...(template === undefined ? [] : [template]), ...fragments].map(({ fragment }) => fragment)
  const lists = input.lists === undefined ? [] : mergeLists(all, input.lists)
  const names = lists.map(({ name }) => name)
  const around = template === undefined ? NO_TEMPLATE : templateAround(template, names)
  const file = new Assembly(names)
  file.write(HEADER)
  around.open(file)
  // Before any dataset: loading all of them may take an hour, and what is blocked must be so before.
  for (const { name, values } of lists) file.set(name, values.join(','))
  around.settings(file)
  for (const { source, fragment } of fragments) file.add(source, withoutLists(fragment, names))
  const present = new Set(sourcesOf(loaded).flatMap(({ fragment }) => fragment.datasets.map(({ id }) => id)))
  for (const id of Object.keys(removed).toSorted()) if (!present.has(id)) file.bury(id, removed[id]?.type ?? '')
  around.close(file)
  return file.finish([...(input.lists === undefined ? [] : leftOut(input.lists.lists)), ...problems])
}

async function adaptAll(
  loaded: LoadedTree,
  adaptation: Adaptation,
  pace: Pace,
): Promise<{ readonly template: Adapted | undefined; readonly fragments: readonly Adapted[] }> {
  const { template: source } = loaded
  const template = source && { source, fragment: await adapt(source, adaptation) }
  const fragments: Adapted[] = []
  for (const each of loaded.fragments) {
    await pace.rest()
    fragments.push({ source: each, fragment: await adapt(each, adaptation) })
  }
  return { template, fragments }
}

const HEADER = '<?xml version="1.0" encoding="UTF-8" ?>\n'
const NO_TEMPLATE: Around = {
  open: (file) => file.write('<erddapDatasets>\n'),
  settings: () => undefined,
  close: (file) => file.write('</erddapDatasets>\n'),
}

interface Adapted {
  readonly source: Source
  readonly fragment: Fragment
}

interface Around {
  /** The root's start tag. */
  open(file: Assembly): void
  settings(file: Assembly): void
  close(file: Assembly): void
}

function templateAround({ source, fragment: whole }: Adapted, lists: readonly ListName[]): Around {
  const fragment = withoutLists(whole, lists)
  const [, postfix] = source.parts
  const { bytes, openAt, closeAt, line } = fragment
  const start = lists.length === 0 ? 0 : behindLine(bytes, openAt)
  const at = postfix === undefined ? beforeIndent(bytes, closeAt) : startOfLine(bytes, postfix.line - line)
  return {
    open: (file) => (start > 0 ? file.add(source, fragment, 0, start) : undefined),
    settings: (file) => file.add(source, fragment, start, at),
    close: (file) => file.add(source, fragment, at),
  }
}

/** The end of the line if only blanks stand there behind `offset`. */
function behindLine(bytes: Uint8Array, offset: number): number {
  let at = offset
  while (bytes[at] === 32 || bytes[at] === 9 || bytes[at] === 13) at++
  return bytes[at] === LF ? at + 1 : offset
}

/** The start of the line if only blanks stand before `offset`, so that these stay with what they indent. */
function beforeIndent(bytes: Uint8Array, offset: number): number {
  let at = offset
  while (bytes[at - 1] === 32 || bytes[at - 1] === 9) at--
  return bytes[at - 1] === LF ? at : offset
}

/** Offset of a line, the first being 0. */
function startOfLine(bytes: Uint8Array, line: number): number {
  let at = 0
  for (let count = 0; count < line; count++) at = bytes.indexOf(LF, at) + 1
  return at
}
