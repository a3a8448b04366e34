import type { Catalog, Item } from './catalog.ts'
import { isResource, isStore } from './catalog.ts'
import { type Ask, atomLink } from './http.ts'
import { copy, element, type Element, textAt } from './xml.ts'

/** What decides how an object is shown. */
export type Showing = Pick<Ask, 'world' | 'base' | 'format'>

/** What a list of a store is called → what GET of the store says of it. */
const INSIDE = {
  dataStore: ['featureTypes', 'featuretypes'],
  coverageStore: ['coverages', 'coverages'],
  wmsStore: ['wmsLayers', 'wmslayers'],
  wmtsStore: ['layers', 'layers'],
} as const

/** Address of an object below `/rest/`, without ending. */
function addressOf(catalog: Catalog, item: Item): string {
  const name = encodeURIComponent(item.name)
  const workspace = catalog.items.get(item.workspace ?? '')
  const within = workspace === undefined ? '' : `workspaces/${encodeURIComponent(workspace.name)}/`
  if (item.kind === 'workspace') return `workspaces/${name}`
  if (item.kind === 'namespace') return `namespaces/${name}`
  if (item.kind === 'wmtsLayer') return `${storeAddress(catalog, item)}/layers/${name}`
  if (isResource(item.kind)) return `${storeAddress(catalog, item)}/${item.kind.toLowerCase()}s/${name}`
  return `${within}${item.kind.toLowerCase()}s/${name}`
}

function storeAddress(catalog: Catalog, item: Item): string {
  const store = catalog.items.get(item.store ?? '')
  return store === undefined ? '' : addressOf(catalog, store)
}

/** An object as GET shows it: without ids, references by name and link, with links to what is in it. */
export function encode(showing: Showing, item: Item, as = item.name): Element {
  const shown = copy(item.xml)
  shown.children = shown.children
    .filter((one) => !one.name.startsWith('international') && (one.name !== 'id' || item.kind === 'settings'))
    .map((one) => field(showing, item, one))
  shown.children.push(...links(showing, item, as))
  return shown
}

function field(showing: Showing, item: Item, node: Element): Element {
  const { catalog } = showing.world
  if (node.name === 'publishables' || node.name === 'styles') {
    return { ...node, children: node.children.map((one) => reference(showing, one, item.kind === 'layer')) }
  }
  if (node.name === 'workspace') {
    if (item.kind === 'settings') return { ...node, children: node.children.filter((one) => one.name !== 'id') }
    const workspace = catalog.items.get(textAt(node, 'id') ?? '')
    if (workspace === undefined) return node
    if (isStore(item.kind)) return reference(showing, node, false)
    return element('workspace', [element('name', workspace.name)])
  }
  if (item.kind === 'settings' && node.name === 'contact') {
    return { ...node, children: node.children.filter((one) => !one.name.startsWith('international')) }
  }
  const isReference = node.children.length === 1 && textAt(node, 'id') !== undefined && node.name !== 'contact'
  return isReference ? reference(showing, node, item.kind === 'layer') : node
}

function reference({ world, base, format }: Showing, node: Element, withWorkspace: boolean): Element {
  const { catalog } = world
  const item = catalog.items.get(textAt(node, 'id') ?? '')
  if (item === undefined) return node
  const isContainer = item.kind === 'workspace' || item.kind === 'namespace'
  const name = element('name', isContainer ? item.name : catalog.qualified(item))
  const workspace = catalog.items.get(item.workspace ?? '')
  const own =
    withWorkspace && item.kind === 'style' && workspace !== undefined ? [element('workspace', workspace.name)] : []
  const href = `${base}/rest/${addressOf(catalog, item)}.${format}`
  return element(node.name, [name, ...own, atomLink(href, format)], node.attributes)
}

function links({ world, base, format }: Showing, item: Item, as: string): readonly Element[] {
  const to = (name: string, path: string): Element =>
    element(name, [atomLink(`${base}/rest/${path}.${format}`, format)])
  if (item.kind === 'workspace') {
    const stores = ['dataStores', 'coverageStores', 'wmsStores', 'wmtsStores']
    return stores.map((name) => to(name, `workspaces/${encodeURIComponent(as)}/${name.toLowerCase()}`))
  }
  if (!isStore(item.kind)) return []
  const [name, segment] = INSIDE[item.kind]
  return [to(name, `${addressOf(world.catalog, item)}/${segment}`)]
}
