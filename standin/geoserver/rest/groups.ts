import type { Catalog, Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { writeTileLayer } from '../gwc/default-layer.ts'
import { type Answer, type Ask, created, done, list, payload, Refusal, show } from '../http.ts'
import { fileOf } from '../places.ts'
import { merge } from '../merge.ts'
import { resolveReferences } from '../refs.ts'
import type { Routes } from '../router.ts'
import { child, copy, element, type Element, setChild, setText, textAt } from '../xml.ts'
import { mustBeIn, param, takenId } from './objects.ts'
import { removeGroup } from './removal.ts'
import { inside, placeIn } from './workspaces.ts'

export const groups: Routes = { ...routesOf('/rest/layergroups'), ...routesOf('/rest/workspaces/:ws/layergroups') }

function routesOf(path: string): Routes {
  return {
    [`GET ${path}`]: listGroups,
    [`POST ${path}`]: addGroup,
    [`GET ${path}/:name`]: (ask) => show(ask, encode(ask, groupOf(ask))),
    [`PUT ${path}/:name`]: changeGroup,
    [`DELETE ${path}/:name`]: deleteGroup,
  }
}

function groupOf(ask: Ask): Item {
  const workspace = inside(ask)
  const name = param(ask, 'name')
  const found = ask.world.catalog.find('layerGroup', name, { workspace: workspace?.id })
  if (found !== undefined) return found
  const where = workspace === undefined ? '' : ` in workspace ${workspace.name}`
  throw new Refusal(404, `No such layer group ${name}${where}`)
}

function listGroups(ask: Ask): Answer {
  const workspace = inside(ask)
  const items = ask.world.catalog.list('layerGroup', { workspace: workspace?.id })
  const rows = items
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name }) => ({ name, href: placeIn(workspace, 'layergroups', name) }))
  return list(ask, 'layerGroups', 'layerGroup', rows)
}

function addGroup(ask: Ask): Answer {
  const { world } = ask
  const workspace = inside(ask)
  const xml = payload(ask, 'layerGroup')
  resolveReferences(world.catalog, xml)
  mustBeIn(world, xml, workspace)
  const name = textAt(xml, 'name') ?? ''
  const members = child(xml, 'publishables')?.children ?? []
  if (name === '') throw new Refusal(500, 'Layer group name must not be null')
  if (members.length === 0) throw new Refusal(400, 'layer group must have at least one layer')
  if (world.catalog.find('layerGroup', name, { workspace: workspace?.id }) !== undefined) {
    throw new Refusal(500, `Layer group named '${name}' already exists in workspace '${workspace?.name}'`)
  }
  const id = takenId(world, xml) ?? world.ids.next('LayerGroupInfoImpl')
  setText(xml, 'id', id)
  if (child(xml, 'mode') === undefined) setText(xml, 'mode', 'SINGLE')
  if (workspace !== undefined) setChild(xml, element('workspace', [element('id', workspace.id)]))
  if (child(xml, 'styles') === undefined)
    setChild(
      xml,
      element(
        'styles',
        members.map(() => element('style')),
      ),
    )
  const bounds = child(xml, 'bounds') ?? boundsOf(world.catalog, members)
  if (bounds !== undefined) setChild(xml, bounds)
  const file = fileOf('layerGroup', name, workspace)
  const group: Item = { kind: 'layerGroup', id, name, workspace: workspace?.id, file, xml }
  world.add(group)
  writeTileLayer(world, group)
  // Its address is told without the workspace. (recorded)
  return created(ask, `layergroups/${encodeURIComponent(name)}`, name)
}

/** The box around all members, in degrees. */
function boundsOf(catalog: Catalog, members: readonly Element[]): Element | undefined {
  const boxes = members.flatMap((member) => {
    const item = catalog.items.get(textAt(member, 'id') ?? '')
    const resource = catalog.items.get(item?.resource ?? '')
    return child(resource?.xml, 'latLonBoundingBox') ?? child(item?.xml, 'bounds') ?? []
  })
  const [first, ...others] = boxes
  if (first === undefined) return undefined
  const made: Element = { ...copy(first), name: 'bounds' }
  for (const box of others) {
    for (const side of made.children) {
      const [mine, other] = [Number(side.text), Number(textAt(box, side.name))]
      const isWider = side.name.startsWith('min') ? other < mine : other > mine
      if (side.name !== 'crs' && isWider) side.text = textAt(box, side.name)
    }
  }
  return made
}

function changeGroup(ask: Ask): Answer {
  const { world } = ask
  const group = groupOf(ask)
  const xml = payload(ask, 'layerGroup')
  resolveReferences(world.catalog, xml)
  merge(group, xml, world.options.version)
  const before = world.catalog.qualified(group)
  group.name = textAt(group.xml, 'name') ?? group.name
  world.save(group)
  const after = world.catalog.qualified(group)
  if (after === before) world.tileLayers.truncate(before)
  else world.tileLayers.rename(before, after)
  return done
}

function deleteGroup(ask: Ask): Answer {
  const group = groupOf(ask)
  const isMember = ask.world.catalog.users(group).some(({ kind }) => kind === 'layerGroup')
  if (isMember && ask.query.get('recurse') !== 'true') {
    throw new Refusal(403, 'Unable to delete layer group referenced by another layer group')
  }
  removeGroup(ask.world, group)
  return done
}
