import type { Catalog, Item } from './catalog.ts'
import { Refusal } from './http.ts'
import type { Kind } from './kinds.ts'
import { RESOURCES, STORES } from './kinds.ts'
import { child, element, type Element, textAt } from './xml.ts'

/** Fields of a payload that name other objects → the kinds they may be of. */
const FIELDS: Readonly<Record<string, readonly Kind[]>> = {
  workspace: ['workspace'],
  namespace: ['namespace'],
  store: STORES,
  resource: RESOURCES,
  defaultStyle: ['style'],
  rootLayer: ['layer'],
  rootLayerStyle: ['style'],
}

/** Fields that hold many such references. */
const LISTS: Readonly<Record<string, (member: Element) => readonly Kind[]>> = {
  styles: () => ['style'],
  publishables: ({ attributes }) => [attributes['type'] === 'layerGroup' ? 'layerGroup' : 'layer'],
}

/** Rewrites references by name into references by id, as files have them. @throws Refusal for what is not there. */
export function resolveReferences(catalog: Catalog, xml: Element): void {
  for (const field of xml.children) {
    const kinds = FIELDS[field.name]
    if (kinds !== undefined) resolve(catalog, field, kinds)
    const kindsOf = LISTS[field.name]
    for (const member of kindsOf === undefined ? [] : field.children) resolve(catalog, member, kindsOf?.(member) ?? [])
  }
}

function resolve(catalog: Catalog, node: Element, kinds: readonly Kind[]): void {
  if (node.children.length === 0 && (node.text ?? '').trim() === '') return
  const found = lookUp(catalog, node, kinds)
  if (found === undefined) {
    const named = textAt(node, 'id') ?? textAt(node, 'name') ?? node.text ?? ''
    throw new Refusal(500, `Failed to resolve reference of ${node.name}: ${named}`)
  }
  node.text = undefined
  node.children = [element('id', found.id)]
  delete node.attributes['xsi:nil']
  if (node.name === 'resource' || node.name === 'store') node.attributes['class'] = found.kind
}

function lookUp(catalog: Catalog, node: Element, kinds: readonly Kind[]): Item | undefined {
  const id = textAt(node, 'id')
  if (id !== undefined) {
    const found = catalog.items.get(id)
    return found !== undefined && kinds.includes(found.kind) ? found : undefined
  }
  const name = textAt(node, 'prefix') ?? textAt(node, 'name') ?? node.text ?? ''
  const workspace = textAt(child(node, 'workspace'), 'name') ?? textAt(node, 'workspace')
  const qualified = workspace === undefined || name.includes(':') ? name : `${workspace}:${name}`
  for (const kind of kinds) {
    const isContainer = kind === 'workspace' || kind === 'namespace'
    const found = isContainer ? catalog.find(kind, name) : catalog.byQualified(kind, qualified)
    if (found !== undefined) return found
  }
  return undefined
}
