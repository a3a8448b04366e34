import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { type Answer, type Ask, created, done, list, payload, Refusal, show } from '../http.ts'
import type { StoreKind } from '../kinds.ts'
import { fileOf } from '../places.ts'
import { merge } from '../merge.ts'
import { encryptSecrets } from '../passwords.ts'
import { pluginFor } from '../plugins.ts'
import { resolveReferences } from '../refs.ts'
import type { Routes } from '../router.ts'
import { child, element, type Element, setChild, setText, textAt } from '../xml.ts'
import { flag, mustBeIn, param, takenId } from './objects.ts'
import { removeStore } from './removal.ts'
import { workspaceOf } from './workspaces.ts'

/** What GeoServer calls each kind of store in its refusals. */
const CALLED: Readonly<Record<StoreKind, string>> = {
  dataStore: 'datastore',
  coverageStore: 'coverage store',
  wmsStore: 'wms store',
  wmtsStore: 'wmts store',
}

export const stores: Routes = Object.assign(
  {},
  ...(Object.keys(CALLED) as StoreKind[]).map((kind): Routes => {
    const path = `/rest/workspaces/:ws/${kind.toLowerCase()}s`
    return {
      [`GET ${path}`]: (ask) => listStores(ask, kind),
      [`POST ${path}`]: (ask) => addStore(ask, kind),
      [`GET ${path}/:store`]: (ask) => show(ask, encode(ask, storeOf(ask, kind))),
      [`PUT ${path}/:store`]: (ask) => changeStore(ask, kind),
      [`DELETE ${path}/:store`]: (ask) => deleteStore(ask, kind),
      [`POST|PUT ${path}/:store/reset`]: (ask) => {
        storeOf(ask, kind)
        return done
      },
    }
  }),
)

/** @throws Refusal 404 */
export function storeOf(ask: Ask, kind: StoreKind): Item {
  const workspace = workspaceOf(ask)
  const name = param(ask, 'store')
  const found = ask.world.catalog.find(kind, name, { workspace: workspace.id })
  if (found === undefined) throw new Refusal(404, `No such ${CALLED[kind]}: ${workspace.name},${name}`)
  return found
}

function listStores(ask: Ask, kind: StoreKind): Answer {
  const workspace = workspaceOf(ask)
  const items = ask.world.catalog.list(kind, { workspace: workspace.id }).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const at = `workspaces/${encodeURIComponent(workspace.name)}/${kind.toLowerCase()}s`
  const rows = items.map(({ name }) => ({ name, href: `${at}/${encodeURIComponent(name)}` }))
  return list(ask, `${kind}s`, kind, rows)
}

function addStore(ask: Ask, kind: StoreKind): Answer {
  const { world } = ask
  const workspace = workspaceOf(ask)
  const xml = payload(ask, kind)
  resolveReferences(world.catalog, xml)
  mustBeIn(world, xml, workspace)
  const name = textAt(xml, 'name') ?? ''
  if (name === '') throw new Refusal(400, 'Store name must not be null')
  for (const other of ['dataStore', 'coverageStore', 'wmsStore', 'wmtsStore'] as const) {
    if (world.catalog.find(other, name, { workspace: workspace.id }) === undefined) continue
    throw new Refusal(500, `Store '${name}' already exists in workspace '${workspace.name}'`)
  }
  mayBe(ask, kind, xml)
  const id = takenId(world, xml) ?? world.ids.next(`${kind[0]?.toUpperCase()}${kind.slice(1)}InfoImpl`)
  setText(xml, 'id', id)
  setChild(xml, element('workspace', [element('id', workspace.id)]))
  if (kind === 'dataStore') withNamespace(ask, workspace, xml)
  world.add({ kind, id, name, workspace: workspace.id, file: fileOf(kind, name, workspace), xml })
  const at = `workspaces/${encodeURIComponent(workspace.name)}/${kind.toLowerCase()}s/${encodeURIComponent(name)}`
  return created(ask, at, name)
}

/** Refuses what needs a plug-in that is not there, and passwords that another keystore has encrypted. */
function mayBe({ world }: Ask, kind: StoreKind, xml: Element): void {
  const missing = pluginFor(kind, xml, world.modules)
  if (missing !== undefined) throw new Refusal(500, missing)
  if (encryptSecrets(kind, xml, world.keystore)) return
  throw new Refusal(500, 'org.jasypt.exceptions.EncryptionOperationNotPossibleException', true)
}

/** Every data store has the URI of its namespace among its parameters, first when it was not given. */
function withNamespace({ world }: Ask, workspace: Item, xml: Element): void {
  const uri = textAt(world.catalog.namespaceOf(workspace.id)?.xml, 'uri') ?? ''
  const parameters = child(xml, 'connectionParameters') ?? element('connectionParameters')
  setChild(xml, parameters)
  const entry = parameters.children.find((one) => one.attributes['key'] === 'namespace')
  if (entry === undefined) parameters.children.unshift(element('entry', uri, { key: 'namespace' }))
}

function changeStore(ask: Ask, kind: StoreKind): Answer {
  const { world } = ask
  const store = storeOf(ask, kind)
  const xml = payload(ask, kind)
  resolveReferences(world.catalog, xml)
  mayBe(ask, kind, xml)
  merge(store, xml, world.options.version)
  const workspace = world.catalog.items.get(store.workspace ?? '')
  if (kind === 'dataStore' && workspace !== undefined) withNamespace(ask, workspace, store.xml)
  store.name = textAt(store.xml, 'name') ?? store.name
  world.save(store)
  return done
}

function deleteStore(ask: Ask, kind: StoreKind): Answer {
  const store = storeOf(ask, kind)
  const full = ask.world.catalog.children(store).length > 0
  if (full && !flag(ask, 'recurse')) throw new Refusal(403, `${CALLED[kind]} not empty`)
  removeStore(ask.world, store)
  return done
}
