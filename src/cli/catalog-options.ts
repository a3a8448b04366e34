import type { CatalogAnswer, CatalogNodeAnswer } from '../core/api-catalog.ts'
import { FlotillaError } from '../core/errors.ts'
import { didYouMean } from '../lib/closest.ts'
import { CLIENT, TREE } from './connect.ts'

/** The tree of a GeoServer's catalog unless told otherwise, as `join` names it. */
export const DEFAULT_CATALOG = 'catalog'

/** Options of every command on a catalog. */
export const CATALOG = { tree: { ...TREE.tree, fallback: DEFAULT_CATALOG }, ...CLIENT } as const

/** What has to be added to a `flotilla catalog` command to mean this tree. */
export function catalogOption(tree: string): string {
  return tree === DEFAULT_CATALOG ? '' : ` --tree ${tree}`
}

export function nodeOption(summary: string) {
  return { node: { type: 'value', placeholder: 'NODE', summary } } as const
}

/** What that node tells of its catalog. Throws `NOT_FOUND`, with those there are. */
export function nodeOf({ tree, nodes }: CatalogAnswer, name: string): CatalogNodeAnswer {
  const found = nodes.find(({ node }) => node === name)
  if (found !== undefined) return found
  const names = nodes.map(({ node }) => node)
  const near = didYouMean(name, names)
  const those =
    names.length === 0
      ? 'No node has told anything of it yet: does an agent run beside a GeoServer?'
      : `Those that do: ${names.join(', ')}.`
  throw new FlotillaError('NOT_FOUND', `${name} tells nothing of a GeoServer in the tree ${tree}`, {
    hint: near === undefined ? those : `${near} ${those}`,
  })
}

/** `topp:states` → `layer/topp:states`, as far as there is one; what has a kind before it stays. Throws `NOT_FOUND`. */
export function layerKey(tree: string, name: string, keys: readonly string[]): string {
  const known = new Set(keys)
  const candidates = name.includes('/') ? [name] : ['layer', 'layergroup'].map((kind) => `${kind}/${name}`)
  const found = candidates.find((key) => known.has(key))
  if (found !== undefined) return found
  const spoken = name.includes('/') ? keys : keys.filter(isLayer).map((key) => key.slice(key.indexOf('/') + 1))
  throw new FlotillaError('NOT_FOUND', `${tree} has no layer or group ${JSON.stringify(name.slice(0, 200))}`, {
    hint:
      unqualified(name, spoken) ??
      didYouMean(name, spoken) ??
      'Layers are named with their workspace, as in topp:states; other objects with their kind, as in style/burg.',
  })
}

function isLayer(key: string): boolean {
  return /^layer(?:group)?\//.test(key)
}

/** Most who forget the workspace mean the only layer of that name. */
function unqualified(name: string, spoken: readonly string[]): string | undefined {
  const same = spoken.filter((one) => one.endsWith(`:${name}`))
  return same.length === 0 ? undefined : `Say with its workspace: ${same.slice(0, 5).join(', ')}.`
}
