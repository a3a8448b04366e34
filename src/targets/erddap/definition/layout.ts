import type { Problem } from '../../../core/problem.ts'
import type { TreeFile } from '../../../core/tree.ts'
import type { Listed, SourceManifest } from './manifest.ts'

/** Which files of a tree are definitions, and in which order they go into datasets.xml. */
export interface Layout {
  /** What stands around the fragments: one template, or a prefix and a postfix. */
  readonly around: readonly TreeFile[]
  readonly fragments: readonly TreeFile[]
  /** XML files that are left out; to be told if they are definitions. */
  readonly leftOut: readonly TreeFile[]
  /** Why they are left out. */
  readonly leftOutBecause: string
  /** A compiled datasets.xml beside the fragments: left out, unless it is all there is. */
  readonly compiled: TreeFile | undefined
  readonly problems: readonly Problem[]
}

/** The ordered list of fragments that some servers keep beside them. */
export const MANIFEST_NAMES: readonly string[] = ['datasets.yaml', 'datasets.yml']

const TEMPLATE_NAMES: readonly string[] = ['datasets.template.xml', 'template.xml']
const COMPILED_NAME = 'datasets.xml'
const FRAGMENTS_FOLDER = 'datasets.d/'
/** Everything under it belongs to the configuration but is no definition. */
const SIDE_FILES_FOLDER = 'files/'

/**
 * Lays out a tree: the fragments are its `.xml` files, or those under `datasets.d/` if there is one, ordered by path. A
 * manifest names them in its own order.
 */
export function layOut(files: readonly TreeFile[], manifest: SourceManifest | undefined): Layout {
  const definitions = files.filter(({ path }) => isDefinition(path))
  if (manifest !== undefined) return layOutByManifest(files, definitions, manifest)
  const inFolder = definitions.filter(({ path }) => path.startsWith(FRAGMENTS_FOLDER))
  const base = inFolder.length > 0 ? FRAGMENTS_FOLDER : ''
  const named = (name: string) => definitions.find(({ path }) => path === name || path === base + name)
  const template = TEMPLATE_NAMES.map(named).find((file) => file !== undefined)
  const compiled = named(COMPILED_NAME)
  const rest = definitions.filter((file) => file !== template && file !== compiled)
  return {
    around: template === undefined ? [] : [template],
    fragments: rest.filter(({ path }) => path.startsWith(base)),
    leftOut: rest.filter(({ path }) => !path.startsWith(base)),
    leftOutBecause: `it does not lie under ${base}`,
    compiled,
    problems: [],
  }
}

function layOutByManifest(
  files: readonly TreeFile[],
  definitions: readonly TreeFile[],
  manifest: SourceManifest,
): Layout {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const problems: Problem[] = [...manifest.problems]
  const find = (listed: Listed): TreeFile[] => {
    const file = byPath.get(listed.path)
    if (file === undefined) problems.push(missing(manifest.path, listed))
    return file === undefined ? [] : [file]
  }
  const around = manifest.around.flatMap(find)
  const fragments = manifest.fragments.flatMap(find)
  const taken = new Set([...around, ...fragments])
  return {
    around,
    fragments,
    leftOut: definitions.filter((file) => file.path.startsWith(manifest.folder) && !taken.has(file)),
    leftOutBecause: `${manifest.path} does not list it`,
    compiled: undefined,
    problems,
  }
}

function missing(file: string, { path, line, column }: Listed): Problem {
  return {
    severity: 'error',
    code: 'MANIFEST_MISSING_FILE',
    file,
    line,
    column,
    message: `"${path}" is listed, but there is no such file`,
    hint: 'Add the file, or take it off the list.',
  }
}

/** By name: `.xml`, not under `files/`, not hidden, not in a trash folder. */
function isDefinition(path: string): boolean {
  if (!path.toLowerCase().endsWith('.xml') || path.startsWith(SIDE_FILES_FOLDER)) return false
  return !path.split('/').some((part) => part.startsWith('.') || part.toLowerCase() === 'trash')
}
