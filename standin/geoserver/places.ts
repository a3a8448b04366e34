import type { Item } from './catalog.ts'
import type { Kind } from './kinds.ts'

/** The folder an object's file lies in. */
export function folder(item: { readonly file: string }): string {
  return item.file.slice(0, item.file.lastIndexOf('/'))
}

/** File of an object of this kind and name. */
export function fileOf(kind: Kind, name: string, parent: Item | undefined): string {
  const base = parent === undefined ? '' : `${folder(parent)}/`
  if (kind === 'workspace' || kind === 'namespace') return `workspaces/${name}/${kind}.xml`
  if (kind === 'style') return `${base}styles/${name}.xml`
  if (kind === 'layerGroup') return `${base}layergroups/${name}.xml`
  if (kind === 'layer') return `${base}layer.xml`
  if (kind === 'settings') return `${base}settings.xml`
  if (kind === 'service') return `${base}${name}.xml`
  return `${base}${name}/${kind.toLowerCase()}.xml`
}
