import { Catalog, type Item, referenced } from './catalog.ts'
import { isEncrypted, secretsOf } from './passwords.ts'
import { folder } from './places.ts'
import { pluginFor } from './plugins.ts'
import type { StoreKind } from './kinds.ts'
import { RESOURCES, STORES } from './kinds.ts'
import { SERVICES } from './services.ts'
import { complete } from './shape.ts'
import type { Keystore } from './crypt.ts'
import type { DataDirectory } from './files.ts'
import { child, element, type Element, parseXml, textAt } from './xml.ts'

/** What reading a catalog needs of the node. */
export interface Basis {
  readonly files: DataDirectory
  readonly keystore: Keystore
  readonly modules: readonly string[]
  log(line: string): void
}

/** Reads the whole catalog from disk, as a start and a reload do. What cannot be read is left out, with a line of log. */
export function loadCatalog(basis: Basis): Catalog {
  return new Loader(basis).load()
}

class Loader {
  readonly #basis: Basis
  readonly #catalog: Catalog

  constructor(basis: Basis) {
    this.#basis = basis
    this.#catalog = new Catalog(
      this.#parse('global.xml') ?? element('global'),
      this.#parse('logging.xml') ?? element('logging'),
    )
  }

  load(): Catalog {
    const { files } = this.#basis
    const names = files.list('workspaces').filter((name) => files.kind(`workspaces/${name}`) === 'directory')
    const workspaces = names.flatMap((name) => this.#workspace(`workspaces/${name}`))
    this.#styles('styles', undefined)
    for (const workspace of workspaces) this.#styles(`${folder(workspace)}/styles`, workspace)
    for (const workspace of workspaces) this.#stores(workspace)
    this.#groups('layergroups', undefined)
    for (const workspace of workspaces) this.#groups(`${folder(workspace)}/layergroups`, workspace)
    this.#services('', undefined)
    for (const workspace of workspaces) this.#settings(workspace)
    const preferred = textAt(this.#parse('workspaces/default.xml'), 'name')
    const first = workspaces.find((workspace) => workspace.name === preferred) ?? workspaces[0]
    this.#catalog.defaultWorkspace = first?.id
    return this.#catalog
  }

  #parse(file: string): Element | undefined {
    const source = this.#basis.files.text(file)
    if (source === undefined) return undefined
    try {
      return parseXml(source)
    } catch (error) {
      this.#basis.log(`Failed to load ${file}: ${error instanceof Error ? error.message : String(error)}`)
      return undefined
    }
  }

  #add(item: Omit<Item, 'id' | 'name'>, xml: Element): Item | undefined {
    const name = textAt(xml, item.kind === 'namespace' ? 'prefix' : 'name') ?? ''
    const id = textAt(xml, 'id')
    if (id === undefined || id === '' || this.#catalog.items.has(id)) {
      this.#basis.log(`Ignoring ${item.file}: its id is missing or taken`)
      return undefined
    }
    const added = { ...item, id, name, xml: complete(item.kind, name, xml) }
    this.#catalog.items.set(id, added)
    return added
  }

  /** Both files or neither: a workspace without a namespace is ignored. */
  #workspace(dir: string): readonly Item[] {
    const xml = this.#parse(`${dir}/workspace.xml`)
    const namespace = this.#parse(`${dir}/namespace.xml`)
    if (xml === undefined || namespace === undefined) return []
    const added = this.#add({ kind: 'workspace', file: `${dir}/workspace.xml`, xml }, xml)
    if (added === undefined) return []
    const inside = { kind: 'namespace', workspace: added.id, file: `${dir}/namespace.xml`, xml: namespace } as const
    this.#add(inside, namespace)
    return [added]
  }

  #styles(dir: string, workspace: Item | undefined): void {
    for (const [file, xml] of this.#xmlFiles(dir)) {
      if (xml.name !== 'style' || !this.#refersTo(file, xml, 'workspace', workspace)) continue
      const missing = pluginFor('style', xml, this.#basis.modules)
      if (missing === undefined) this.#add({ kind: 'style', workspace: workspace?.id, file, xml }, xml)
      else this.#basis.log(`Ignoring ${file}: ${missing}`)
    }
  }

  #stores(workspace: Item): void {
    const dir = folder(workspace)
    for (const name of this.#basis.files.list(dir)) {
      for (const kind of STORES) {
        const file = `${dir}/${name}/${kind.toLowerCase()}.xml`
        const xml = this.#parse(file)
        if (xml !== undefined && this.#refersTo(file, xml, 'workspace', workspace))
          this.#store(kind, file, xml, workspace)
      }
    }
  }

  #store(kind: StoreKind, file: string, xml: Element, workspace: Item): void {
    const missing = pluginFor(kind, xml, this.#basis.modules)
    const locked = secretsOf(kind, xml).some(
      (one) => isEncrypted(one) && this.#basis.keystore.decrypt(one.text ?? '') === undefined,
    )
    if (missing !== undefined || locked) {
      this.#basis.log(`Failed to load store ${file}: ${missing ?? 'EncryptionOperationNotPossibleException'}`)
      return
    }
    const store = this.#add({ kind, workspace: workspace.id, file, xml }, xml)
    if (store === undefined) return
    for (const name of this.#basis.files.list(folder(store))) this.#resource(`${folder(store)}/${name}`, store)
  }

  #resource(dir: string, store: Item): void {
    for (const kind of RESOURCES) {
      const file = `${dir}/${kind.toLowerCase()}.xml`
      const xml = this.#parse(file)
      if (xml === undefined || !this.#refersTo(file, xml, 'store', store)) continue
      const namespace = this.#catalog.items.get(referenced(xml, 'namespace') ?? '')
      if (namespace?.workspace !== store.workspace) this.#basis.log(`Ignoring ${file}: namespace not found`)
      else this.#layer(dir, this.#add({ kind, workspace: store.workspace, store: store.id, file, xml }, xml))
    }
  }

  #layer(dir: string, resource: Item | undefined): void {
    const file = `${dir}/layer.xml`
    const xml = this.#parse(file)
    if (xml === undefined || resource === undefined || !this.#refersTo(file, xml, 'resource', resource)) return
    this.#add({ kind: 'layer', workspace: resource.workspace, resource: resource.id, file, xml }, xml)
  }

  /** Members that are not there any more are dropped. */
  #groups(dir: string, workspace: Item | undefined): void {
    for (const [file, xml] of this.#xmlFiles(dir)) {
      if (xml.name !== 'layerGroup' || !this.#refersTo(file, xml, 'workspace', workspace)) continue
      this.#add({ kind: 'layerGroup', workspace: workspace?.id, file, xml }, xml)
    }
    for (const group of this.#catalog.list('layerGroup')) {
      const members = child(group.xml, 'publishables')
      if (members === undefined) continue
      members.children = members.children.filter((one) => this.#catalog.items.has(textAt(one, 'id') ?? ''))
    }
  }

  #settings(workspace: Item): void {
    const file = `${folder(workspace)}/settings.xml`
    const xml = this.#parse(file)
    if (xml !== undefined) this.#add({ kind: 'settings', workspace: workspace.id, file, xml }, xml)
    this.#services(`${folder(workspace)}/`, workspace)
  }

  #services(prefix: string, workspace: Item | undefined): void {
    for (const name of SERVICES) {
      const file = `${prefix}${name}.xml`
      const xml = this.#parse(file)
      const id = textAt(xml, 'id')
      if (xml === undefined || id === undefined) continue
      const item = { kind: 'service', id, name, workspace: workspace?.id, file } as const
      this.#catalog.items.set(id, { ...item, xml: complete('service', name, xml) })
    }
  }

  #xmlFiles(dir: string): readonly (readonly [string, Element])[] {
    const found = this.#basis.files.list(dir).filter((name) => name.endsWith('.xml'))
    return found.flatMap((name) => {
      const xml = this.#parse(`${dir}/${name}`)
      return xml === undefined ? [] : [[`${dir}/${name}`, xml] as const]
    })
  }

  /** A file whose reference names another id than the object it lies in is ignored. */
  #refersTo(file: string, xml: Element, field: string, wanted: Item | undefined): boolean {
    if (referenced(xml, field) === wanted?.id) return true
    this.#basis.log(`Ignoring ${file}: its ${field} is not found`)
    return false
  }
}
