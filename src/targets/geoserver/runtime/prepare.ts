import { z } from 'zod'
import { FlotillaError } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { StagedRelease } from '../../../core/target.ts'
import type { FileTree } from '../../../core/tree.ts'
import { VERSIONS_FILE } from '../definition/classify.ts'
import type { ReleaseReader } from '../definition/release.ts'
import type { ParameterStores } from './by-file.ts'
import type { Gate, Prepared } from './model.ts'

const gateSchema = z.object({ geoserver: z.string().max(40), modules: z.array(z.string().max(200)).max(1000) })

/** Reads a release. Changes nothing. Rejects with `PREPARE_FAILED` and the problems. */
export async function prepare(
  { number, tree, requests }: StagedRelease,
  { reader, parameters }: { readonly reader: ReleaseReader; readonly parameters: ParameterStores },
  op: Op = {},
): Promise<Prepared> {
  const catalog = await reader.read(tree, op)
  const errors = catalog.problems.filter(({ severity }) => severity === 'error')
  if (errors.length > 0) {
    const [first] = errors
    throw new FlotillaError('PREPARE_FAILED', first?.message ?? '', { problems: errors })
  }
  return {
    number,
    catalog,
    entries: catalog.entries,
    tree,
    byFile: await parameters.in(catalog, tree, op),
    requests,
    gate: await gateOf(tree, op),
    warnings: catalog.problems,
  }
}

/** What the release says of the GeoServer that it comes from; nothing where a folder or a repository is its source. */
async function gateOf(tree: FileTree, op: Op): Promise<Gate | undefined> {
  if (!tree.files.some(({ path }) => path === VERSIONS_FILE)) return undefined
  const text = Buffer.from(await tree.read(VERSIONS_FILE, op)).toString('utf8')
  try {
    return gateSchema.parse(JSON.parse(text))
  } catch (cause) {
    throw new FlotillaError('PREPARE_FAILED', `${VERSIONS_FILE} does not say which GeoServer the release comes from`, {
      hint: 'It holds {"geoserver": "2.26.2", "modules": []}. Without it every version takes the release.',
      file: VERSIONS_FILE,
      cause,
    })
  }
}
