import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { type Ask, type Answer, created, done, list, payload, Refusal, show } from '../http.ts'
import { fileOf } from '../places.ts'
import { merge } from '../merge.ts'
import type { Routes } from '../router.ts'
import { takenId } from './objects.ts'
import { removeWorkspace } from './removal.ts'
import { element, setText, textAt, writeXml } from '../xml.ts'

export const workspaces: Routes = {
  'GET /rest/workspaces': (ask) => list(ask, 'workspaces', 'workspace', rows(ask, 'workspace')),
  'POST /rest/workspaces': addWorkspace,
  'GET /rest/workspaces/:ws': (ask) => show(ask, encode(ask, workspaceOf(ask), ask.params['ws'])),
  'PUT /rest/workspaces/:ws': changeWorkspace,
  'DELETE /rest/workspaces/:ws': deleteWorkspace,
  'PUT /rest/workspaces/default': changeDefault,
  'GET /rest/namespaces': (ask) => list(ask, 'namespaces', 'namespace', rows(ask, 'namespace')),
  'POST /rest/namespaces': addNamespace,
  'GET /rest/namespaces/:ws': (ask) => show(ask, encode(ask, namespaceOf(ask))),
  'PUT /rest/namespaces/:ws': changeNamespace,
  'DELETE /rest/namespaces/:ws': (ask) => deleteWorkspace({ ...ask, query: new URLSearchParams() }),
}

function rows({ world }: Ask, kind: 'workspace' | 'namespace') {
  const items = world.catalog.list(kind).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return items.map(({ name }) => ({ name, href: `${kind}s/${encodeURIComponent(name)}` }))
}

/** The workspace in the path. @throws Refusal 404 */
export function workspaceOf({ world, params }: Ask): Item {
  const name = params['ws'] ?? ''
  const found = world.catalog.workspace(name)
  if (found === undefined) throw new Refusal(404, `No such workspace: '${name}' found`)
  return found
}

/** The workspace in the path, where it names one. @throws Refusal 404 */
export function inside(ask: Ask): Item | undefined {
  return ask.params['ws'] === undefined ? undefined : workspaceOf(ask)
}

/** Address of what lies in that workspace or in none, relative to `/rest/`. */
export function placeIn(workspace: Item | undefined, collection: string, name: string): string {
  const within = workspace === undefined ? '' : `workspaces/${encodeURIComponent(workspace.name)}/`
  return `${within}${collection}/${encodeURIComponent(name)}`
}

function namespaceOf(ask: Ask): Item {
  const name = ask.params['ws'] ?? ''
  const found =
    name === 'default' ? ask.world.catalog.namespaceOf(workspaceOf(ask).id) : ask.world.catalog.find('namespace', name)
  if (found === undefined) throw new Refusal(404, `No such namespace: '${name}' found`)
  return found
}

/** Makes workspace and namespace in one step; a URI that was not given is `http://<name>`. */
function addBoth({ world }: Ask, name: string, xml: { workspace: Item['xml']; namespace: Item['xml'] }): void {
  const { catalog, ids } = world
  const workspaceId = takenId(world, xml.workspace) ?? ids.next('WorkspaceInfoImpl')
  const namespaceId = takenId(world, xml.namespace) ?? ids.next('NamespaceInfoImpl')
  setText(xml.workspace, 'id', workspaceId)
  setText(xml.namespace, 'id', namespaceId)
  const file = (kind: 'workspace' | 'namespace'): string => fileOf(kind, name, undefined)
  const workspace: Item = { kind: 'workspace', id: workspaceId, name, file: file('workspace'), xml: xml.workspace }
  world.add({ ...workspace, xml: ordered(workspace) })
  const inside = { workspace: workspaceId, name, file: file('namespace'), xml: xml.namespace }
  const namespace: Item = { kind: 'namespace', id: namespaceId, ...inside }
  world.add({ ...namespace, xml: ordered(namespace) })
  catalog.defaultWorkspace ??= workspaceId
}

function ordered({ xml, id }: Item): Item['xml'] {
  return { ...xml, children: [element('id', id), ...xml.children.filter((one) => one.name !== 'id')] }
}

function addWorkspace(ask: Ask): Answer {
  const xml = payload(ask, 'workspace')
  const name = textAt(xml, 'name') ?? ''
  if (name === '') throw new Refusal(400, 'The workspace name is required')
  const { catalog } = ask.world
  if (catalog.find('workspace', name) !== undefined) throw new Refusal(409, `Workspace '${name}' already exists`, true)
  const namespace = element('namespace', [element('prefix', name), element('uri', `http://${name}`)])
  addBoth(ask, name, { workspace: xml, namespace })
  return created(ask, `workspaces/${encodeURIComponent(name)}`, name)
}

function addNamespace(ask: Ask): Answer {
  const xml = payload(ask, 'namespace')
  const name = textAt(xml, 'prefix') ?? ''
  if (name === '' || (textAt(xml, 'uri') ?? '') === '') throw new Refusal(400, 'prefix and uri are required')
  if (ask.world.catalog.find('namespace', name) !== undefined) {
    throw new Refusal(409, `Namespace with prefix '${name}' already exists`, true)
  }
  addBoth(ask, name, { workspace: element('workspace', [element('name', name)]), namespace: xml })
  return created(ask, `namespaces/${encodeURIComponent(name)}`, name)
}

function changeWorkspace(ask: Ask): Answer {
  const workspace = workspaceOf(ask)
  const xml = payload(ask, 'workspace')
  const name = textAt(xml, 'name') ?? workspace.name
  const taken = ask.world.catalog.find('workspace', name)
  if (taken !== undefined && taken !== workspace) throw new Refusal(409, `Workspace '${name}' already exists`, true)
  const namespace = ask.world.catalog.namespaceOf(workspace.id)
  merge(workspace, xml, ask.world.options.version)
  const before = workspace.name
  workspace.name = name
  ask.world.save(workspace)
  if (before !== name) ask.world.tileLayers.rename(`${before}:`, `${name}:`)
  if (namespace !== undefined) {
    namespace.name = name
    setText(namespace.xml, 'prefix', name)
    ask.world.save(namespace)
  }
  return done
}

/** A namespace and its workspace are saved together, and stores follow a new URI. */
function changeNamespace(ask: Ask): Answer {
  const { world } = ask
  const namespace = namespaceOf(ask)
  const workspace = world.catalog.items.get(namespace.workspace ?? '')
  const before = textAt(namespace.xml, 'uri')
  merge(namespace, payload(ask, 'namespace'), world.options.version)
  world.save(namespace)
  if (workspace !== undefined) world.save(workspace)
  const uri = textAt(namespace.xml, 'uri') ?? ''
  if (uri === before) return done
  for (const store of world.catalog.list('dataStore', { workspace: namespace.workspace })) {
    const parameters = store.xml.children.find((one) => one.name === 'connectionParameters')
    const entry = parameters?.children.find((one) => one.attributes['key'] === 'namespace')
    if (entry === undefined) continue
    entry.text = uri
    world.save(store)
  }
  return done
}

function changeDefault(ask: Ask): Answer {
  const { world } = ask
  const name = textAt(payload(ask, 'workspace'), 'name') ?? ''
  const found = world.catalog.find('workspace', name)
  if (found === undefined) throw new Refusal(404, `No such workspace: '${name}' found`)
  world.catalog.defaultWorkspace = found.id
  world.files.write('workspaces/default.xml', writeXml(found.xml))
  world.changed()
  return done
}

function deleteWorkspace(ask: Ask): Answer {
  const workspace = workspaceOf(ask)
  const { world, query } = ask
  const full = world.catalog
    .children(workspace)
    .some(({ kind }) => !['namespace', 'service', 'settings'].includes(kind))
  if (full && query.get('recurse') !== 'true') throw new Refusal(403, '')
  removeWorkspace(world, workspace)
  return done
}
