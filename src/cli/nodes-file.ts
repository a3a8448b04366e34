import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { parseConfigDocument } from '../config/document.ts'
import { loadConfig } from '../config/load.ts'
import { absolute } from '../config/paths.ts'
import { baseUrl, path } from '../config/units.ts'
import { FlotillaError } from '../core/errors.ts'
import { didYouMean } from '../lib/closest.ts'
import type { Context } from './context.ts'

/** A server that answers operations itself. */
export interface NodeAt {
  /** Its name in the file, or its address where it has none. */
  readonly name: string
  readonly url: string
  /** Undefined where the environment names the token. */
  readonly tokenFile: string | undefined
}

const fileSchema = z.record(
  z.string(),
  z.strictObject({
    url: baseUrl().describe('where the node answers operations'),
    tokenFile: path().describe('file that holds its token'),
  }),
)

const NODES_MAX = 200

/**
 * The nodes of `--nodes` and `--nodes-file`. Names are looked up in the file; an address stands for itself; with a file alone, all in
 * it are meant. Throws `USAGE` where that names nobody, or somebody twice.
 */
export async function nodesOf(
  { list, file }: { readonly list: string | undefined; readonly file: string | undefined },
  context: Context,
): Promise<readonly NodeAt[]> {
  const known = await readNodes(file ?? nonEmpty(context.env['FLOTILLA_NODES_FILE']), context)
  const wanted = list === undefined ? [...known.keys()] : list.split(',').map((item) => item.trim())
  const nodes = wanted.filter((item) => item !== '').map((item) => nodeOf(item, known))
  if (nodes.length === 0) throw usage('no node was named')
  if (nodes.length > NODES_MAX) throw usage(`${nodes.length} nodes; at most ${NODES_MAX} at once`)
  const twice = nodes.find(({ url }, index) => nodes.findIndex((other) => other.url === url) !== index)
  if (twice !== undefined) throw usage(`${twice.url} is named twice`)
  return nodes
}

function nodeOf(item: string, known: ReadonlyMap<string, NodeAt>): NodeAt {
  const node = known.get(item)
  if (node !== undefined) return node
  const { data: url } = baseUrl().safeParse(item)
  if (url !== undefined) return { name: url, url, tokenFile: undefined }
  // Not repeated: it may hold a password.
  if (item.includes('://')) throw usage('an address of a node is of the form http://HOST:PORT, without a password')
  throw usage(`there is no node "${item}"`, didYouMean(item, [...known.keys()]))
}

async function readNodes(file: string | undefined, { cwd }: Context): Promise<ReadonlyMap<string, NodeAt>> {
  if (file === undefined) return new Map()
  const at = resolve(cwd, file)
  const document = parseConfigDocument(at, await readFile(at, 'utf8'))
  const nodes = loadConfig(fileSchema, { document, env: {}, flags: {} })
  return new Map(
    Object.entries(nodes).map(([name, { url, tokenFile }]) => [
      name,
      { name, url, tokenFile: absolute(dirname(at), tokenFile) },
    ]),
  )
}

function usage(message: string, hint?: string): FlotillaError {
  return new FlotillaError('USAGE', message, {
    hint: `${hint === undefined ? '' : `${hint} `}Name addresses, or nodes of a file: --nodes a,b --nodes-file FILE`,
  })
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
