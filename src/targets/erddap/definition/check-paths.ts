import { access } from 'node:fs/promises'
import type { Op } from '../../../core/op.ts'
import type { Problem } from '../../../core/problem.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import { type Definition, readDefinition } from './definition.ts'
import { Pace } from '../../../lib/pace.ts'

export interface PathDataset {
  readonly id: string
  readonly active: boolean
  /** The element as compiled: node values are filled in. */
  readonly source: Uint8Array
  readonly path: string
  readonly line: number
}

/** Settings that name something on the machine's own disks. */
const PATH_SETTINGS: ReadonlySet<string> = new Set(['fileDir', 'fgdcFile', 'iso19115File'])
/** ERDDAP makes the folder of these itself and fills it from afar. */
const FETCHED_TYPES: ReadonlySet<string> = new Set([
  'EDDTableFromHyraxFiles',
  'EDDTableFromThreddsFiles',
  'EDDTableFromWFSFiles',
])
const PARALLEL = 8

/** Warnings for folders and files that active datasets name and that are not on this machine, in the order of the datasets. */
export async function checkPaths(datasets: readonly PathDataset[], op: Op = {}): Promise<readonly Problem[]> {
  const wanted: { readonly dataset: PathDataset; readonly setting: string; readonly path: string }[] = []
  const pace = new Pace(op)
  for (const dataset of datasets) {
    if (!dataset.active) continue
    await pace.rest()
    for (const { setting, path } of pathsOf(readDefinition(dataset.source))) wanted.push({ dataset, setting, path })
  }
  const missing = await missingOf(new Set(wanted.map(({ path }) => path)), op)
  return wanted
    .filter(({ path }) => missing.has(path))
    .map(({ dataset, setting, path }) => ({
      severity: 'warning',
      code: 'PATH_MISSING',
      file: dataset.path,
      line: dataset.line,
      message: `${setting} ${path} does not exist on this machine`,
      hint: 'Mount or create it, or correct the definition.',
      dataset: dataset.id,
    }))
}

function pathsOf(definition: Definition): readonly { readonly setting: string; readonly path: string }[] {
  const { settings, type, children } = definition
  const fetched =
    FETCHED_TYPES.has(type) || settings.some(({ name, content }) => name === 'cacheFromUrl' && content !== '')
  const own = settings
    .filter(({ name, content }) => PATH_SETTINGS.has(name) && isLocal(content) && !(fetched && name === 'fileDir'))
    .map(({ name, content }) => ({ setting: name, path: content }))
  return [...own, ...children.filter(({ active }) => active).flatMap(pathsOf)]
}

/** Absolute: not a web address, and not one of the `***from…` forms of EDDTableFromFileNames. */
function isLocal(path: string): boolean {
  return path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path)
}

async function missingOf(paths: ReadonlySet<string>, { signal }: Op): Promise<ReadonlySet<string>> {
  const missing = new Set<string>()
  await forEachLimited(paths, PARALLEL, async (path) => {
    signal?.throwIfAborted()
    try {
      await access(path)
    } catch (error) {
      // What this process may not look at can still be there for ERDDAP.
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') missing.add(path)
    }
  })
  return missing
}
