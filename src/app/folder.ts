import { readFile } from 'node:fs/promises'
import type { Clock } from '../core/clock.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import type { FileTree, TreeItem } from '../core/tree.ts'
import type { FolderTree } from '../releases/folder-tree.ts'
import { scanFolder } from '../releases/scan.ts'
import { type BlobSink, uploadMissing } from '../releases/upload.ts'
import { checkPaths } from '../targets/erddap/definition/check-paths.ts'
import { compile, type Compiled } from '../targets/erddap/definition/compile.ts'
import { erddapKind } from '../targets/erddap/kind.ts'

/** What the commands on a folder of ERDDAP fragments do, without any hub. */

export const KIND = 'erddap'

export interface CheckedFolder {
  readonly tree: FolderTree
  readonly items: readonly TreeItem[]
  /** Of the scan and of the check. */
  readonly problems: readonly Problem[]
}

interface CheckOptions extends Op {
  readonly clock: Clock
  /** The ERDDAP to check for, such as `2.18`. */
  readonly version?: string | undefined
  /** Warn of paths that are missing on this machine, with these values for `${node.…}`. */
  readonly here?: ReadonlyMap<string, string> | undefined
}

export async function checkFolder(folder: string, options: CheckOptions): Promise<CheckedFolder> {
  const { clock, version, here, signal } = options
  const tree = await scanFolder(folder, { clock }, { signal })
  const { items, problems } = await erddapKind().check(tree, { version }, { signal })
  const found = [...tree.problems, ...problems]
  const whole = found.every(({ severity }) => severity !== 'error')
  const missing = here !== undefined && whole ? await checkHere(tree, here, { signal }) : []
  return { tree, items, problems: [...found, ...missing] }
}

async function checkHere(tree: FolderTree, values: ReadonlyMap<string, string>, op: Op): Promise<readonly Problem[]> {
  const { datasets } = await compile({ tree, manifest: { active: {}, removed: {} }, values }, op)
  return checkPaths(datasets, op)
}

interface CompileOptions extends Op {
  readonly clock: Clock
  readonly template?: string | undefined
  readonly values: ReadonlyMap<string, string>
}

/** The datasets.xml of a folder, not written anywhere. Rejects with `PREPARE_FAILED` and the problems. */
export async function compileFolder(folder: string, options: CompileOptions): Promise<Compiled> {
  const { clock, values, template, signal } = options
  const tree = await scanFolder(folder, { clock }, { signal })
  const input = { tree, manifest: { active: {}, removed: {} }, values }
  if (template === undefined) return compile(input, { signal })
  return compile({ ...input, template: { path: template, bytes: await readFile(template) } }, { signal })
}

export async function upload(sink: BlobSink, tree: FileTree, op: Op): Promise<number> {
  return (await uploadMissing(sink, tree, op)).uploaded
}
