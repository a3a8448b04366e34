import { child, type Element, textAt } from './xml.ts'
import { type Kind, RESOURCES, type ResourceKind, STORES, type StoreKind } from './kinds.ts'

/** One object: a file of the data directory, as it is in memory. */
export interface Item {
  readonly kind: Kind
  readonly id: string
  /** Without its workspace; of a namespace its prefix, of a service `wms`, of settings ''. */
  name: string
  /** Id of the workspace it is in, if it is in one. */
  readonly workspace?: string | undefined
  /** Id of the store, of a resource. */
  readonly store?: string | undefined
  /** Id of the resource, of a layer. */
  readonly resource?: string | undefined
  /** Where it lies, relative to the data directory. */
  file: string
  /** As in its file, with every primitive field. */
  xml: Element
}

/** Where to look for an object. */
export interface Where {
  readonly workspace?: string | undefined
  readonly store?: string | undefined
}

/** All objects in memory. What stands in files is read into it at start and by a reload, and at no other time. */
export class Catalog {
  readonly items = new Map<string, Item>()
  defaultWorkspace: string | undefined
  global: Element
  logging: Element

  constructor(global: Element, logging: Element) {
    this.global = global
    this.logging = logging
  }

  get updateSequence(): number {
    return Number(textAt(this.global, 'updateSequence') ?? '0')
  }

  /** Those of a kind, in this workspace or store; `workspace: undefined` stands for global ones. */
  list(kind: Kind, where: Where = {}): readonly Item[] {
    return [...this.items.values()].filter(
      (item) =>
        item.kind === kind &&
        (!('workspace' in where) || item.workspace === where.workspace) &&
        (where.store === undefined || item.store === where.store),
    )
  }

  find(kind: Kind, name: string, where: Where = {}): Item | undefined {
    return this.list(kind, where).find((item) => item.name === name)
  }

  workspace(name: string): Item | undefined {
    const wanted = this.defaultWorkspace
    if (name === 'default') return wanted === undefined ? undefined : this.items.get(wanted)
    return this.find('workspace', name)
  }

  namespaceOf(workspace: string | undefined): Item | undefined {
    const name = workspace === undefined ? undefined : this.items.get(workspace)?.name
    return name === undefined ? undefined : this.find('namespace', name)
  }

  /** `ws:name`, or the name alone when it is global. */
  qualified(item: Item): string {
    const workspace = item.workspace === undefined ? undefined : this.items.get(item.workspace)
    return workspace === undefined ? item.name : `${workspace.name}:${item.name}`
  }

  /** By `ws:name`; without `ws:` global ones first, then in the default workspace, then anywhere. */
  byQualified(kind: Kind, name: string): Item | undefined {
    const all = this.list(kind)
    return (
      all.find((item) => this.qualified(item) === name) ??
      all.find((item) => item.name === name && item.workspace === this.defaultWorkspace) ??
      all.find((item) => item.name === name)
    )
  }

  layerOf(resource: Item): Item | undefined {
    return this.list('layer').find((layer) => layer.resource === resource.id)
  }

  /** Objects with a reference to this one. */
  users(of: Item): readonly Item[] {
    return [...this.items.values()].filter((item) => item.id !== of.id && mentions(item.xml, of.id, true))
  }

  children(of: Item): readonly Item[] {
    const { kind, id } = of
    return [...this.items.values()].filter((item) =>
      kind === 'workspace' ? item.workspace === id : item.store === id || item.resource === id,
    )
  }
}

export function isStore(kind: Kind): kind is StoreKind {
  return (STORES as readonly Kind[]).includes(kind)
}

export function isResource(kind: Kind): kind is ResourceKind {
  return (RESOURCES as readonly Kind[]).includes(kind)
}

function mentions(node: Element, id: string, top: boolean): boolean {
  if (!top && textAt(node, 'id') === id) return true
  return node.children.some((one) => mentions(one, id, false))
}

/** The id in a reference such as `<workspace><id>…</id></workspace>`. */
export function referenced(node: Element, name: string): string | undefined {
  return child(child(node, name), 'id')?.text
}
