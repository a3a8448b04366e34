import type { Item } from '../catalog.ts'
import { isResource, isStore } from '../catalog.ts'
import type { World } from '../world.ts'
import { child, textAt } from '../xml.ts'

/** A workspace with all that is in it, and what is in other places of it in groups. */
export function removeWorkspace(world: World, workspace: Item): void {
  const { catalog } = world
  for (const item of catalog.children(workspace)) if (isStore(item.kind)) removeStore(world, item)
  for (const item of catalog.children(workspace)) {
    if (item.kind === 'style') replaceStyle(world, item)
    if (item.kind === 'layerGroup') removePublished(world, item)
    if (item.kind === 'layerGroup') world.tileLayers.remove(catalog, item)
    catalog.items.delete(item.id)
  }
  if (catalog.defaultWorkspace === workspace.id) changeDefault(world, workspace)
  world.remove(workspace)
}

function changeDefault(world: World, gone: Item): void {
  const other = world.catalog.list('workspace').find((one) => one.id !== gone.id)
  world.catalog.defaultWorkspace = other?.id
  if (other === undefined) world.files.remove('workspaces/default.xml')
  else world.files.write('workspaces/default.xml', world.files.read(other.file) ?? '')
}

export function removeStore(world: World, store: Item): void {
  for (const resource of world.catalog.list('layer').filter((layer) => inStore(world, layer, store))) {
    removeLayer(world, resource)
  }
  for (const resource of world.catalog.children(store)) if (isResource(resource.kind)) world.remove(resource)
  world.remove(store)
}

function inStore(world: World, layer: Item, store: Item): boolean {
  return world.catalog.items.get(layer.resource ?? '')?.store === store.id
}

/** A layer with its resource: one folder. */
export function removeLayer(world: World, layer: Item): void {
  removePublished(world, layer)
  const resource = world.catalog.items.get(layer.resource ?? '')
  world.remove(layer)
  if (resource !== undefined) world.remove(resource)
}

export function removeGroup(world: World, group: Item): void {
  removePublished(world, group)
  world.remove(group)
}

/** Takes a layer or group out of the groups it is in; a group that is empty then goes too. */
function removePublished(world: World, item: Item): void {
  for (const group of world.catalog.list('layerGroup')) {
    const members = child(group.xml, 'publishables')
    if (members === undefined || group.id === item.id) continue
    const at = members.children.findIndex((one) => textAt(one, 'id') === item.id)
    if (at < 0) continue
    members.children.splice(at, 1)
    child(group.xml, 'styles')?.children.splice(at, 1)
    if (members.children.length === 0) removeGroup(world, group)
    else world.save(group)
  }
}

/** Layers and groups that use a style get `generic` instead, or none. */
export function replaceStyle(world: World, style: Item): void {
  const generic = world.catalog.find('style', 'generic', { workspace: undefined })
  for (const user of world.catalog.users(style)) {
    if (user.kind !== 'layer' && user.kind !== 'layerGroup') continue
    const fallback = child(user.xml, 'defaultStyle')
    const id = fallback?.children.find((one) => one.name === 'id')
    if (id?.text === style.id && generic !== undefined) id.text = generic.id
    const styles = child(user.xml, 'styles')
    if (styles !== undefined && user.kind === 'layer') {
      styles.children = styles.children.filter((one) => textAt(one, 'id') !== style.id)
    }
    for (const one of styles?.children ?? []) if (textAt(one, 'id') === style.id) one.children = []
    world.save(user)
  }
}
