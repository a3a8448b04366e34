import { copyOf, nameIn, qualified, splitKey, spoken, unspoken } from './names.ts'
import type { ObjectKind } from './model.ts'
import { childOf, type Element, made, textIn } from './xml.ts'

/** Keys of the objects that ids of a directory belong to. */
export type Ids = ReadonlyMap<string, string>

/** An element that names another object, and which: undefined where it does not say, or no object has that id. */
export interface Reference {
  readonly key: string | undefined
  /** What stands there, for people. */
  readonly said: string
}

/**
 * Elements that name another object, by its id on disk and by its name in the portable form. A function where the kind
 * follows from an attribute.
 */
const REFERENCES = new Map<string, (element: Element) => ObjectKind | undefined>([
  ['workspace', () => 'workspace'],
  ['namespace', () => 'namespace'],
  ['defaultStyle', () => 'style'],
  ['style', () => 'style'],
  ['rootLayerStyle', () => 'style'],
  ['rootLayer', () => 'layer'],
  ['layer', () => 'layer'],
  ['store', ({ attributes }) => BY_CLASS.get(attributes['class'] ?? '')],
  ['resource', ({ attributes }) => BY_CLASS.get(attributes['class'] ?? '')],
  ['published', ({ attributes }) => BY_CLASS.get(attributes['type'] ?? '')],
])

const BY_CLASS = new Map<string, ObjectKind>([
  ['dataStore', 'datastore'],
  ['coverageStore', 'coveragestore'],
  ['wmsStore', 'wmsstore'],
  ['wmtsStore', 'wmtsstore'],
  ['featureType', 'featuretype'],
  ['coverage', 'coverage'],
  ['wmsLayer', 'wmslayer'],
  ['wmtsLayer', 'wmtslayer'],
  ['layer', 'layer'],
  ['layerGroup', 'layergroup'],
  ['style', 'style'],
])

/** What an element refers to, by id or by name; undefined if it is no reference. An empty one stands for "the default". */
export function referenceIn(element: Element, ids: Ids): Reference | undefined {
  const kindOf = REFERENCES.get(element.name)
  if (kindOf === undefined) return undefined
  if (element.children.length === 0) return element.name === 'workspace' ? workspaceIn(element) : undefined
  const id = childOf(element, 'id')
  if (id !== undefined) return { key: ids.get(id.text.trim()), said: id.text.trim() }
  const name = textIn(element, 'name')
  if (name === '') return { key: undefined, said: 'nothing' }
  const kind = kindOf(element)
  return { key: kind === undefined ? undefined : copyOf(keyByName(kind, element, name)), said: name }
}

/** REST takes the bare name as well. */
function workspaceIn({ text }: Element): Reference | undefined {
  const said = text.trim()
  return said === '' ? undefined : { key: `workspace/${copyOf(qualified(undefined, said))}`, said }
}

function keyByName(kind: ObjectKind, element: Element, name: string): string {
  const workspace = childOf(element, 'workspace')
  if (kind !== 'style' || workspace === undefined) return `${kind}/${unspoken(name)}`
  const its = workspace.children.length > 0 ? textIn(workspace, 'name') : workspace.text.trim()
  // REST answers with the workspace in both places.
  const bare = name.startsWith(`${its}:`) ? name.slice(its.length + 1) : name
  return `${kind}/${qualified(its, bare)}`
}

/** The reference as REST takes it: a style by name and workspace, everything else by `workspace:name`. */
export function byName(element: Element, key: string): Element {
  const { kind, name: whole } = splitKey(key)
  const { name, workspace } = nameIn(whole)
  const content =
    kind === 'style' && workspace !== undefined
      ? [made('name', name), made('workspace', workspace)]
      : [made('name', spoken(key))]
  return made(element.name, content, withKind(element, kind))
}

/** A name alone does not say whose it is: an attribute does, which an id may do without. */
function withKind({ name, attributes }: Element, kind: string): Element['attributes'] {
  const attribute = name === 'published' ? 'type' : name === 'store' || name === 'resource' ? 'class' : undefined
  if (attribute === undefined || attributes[attribute] !== undefined) return attributes
  const spelling = [...BY_CLASS].find(([, its]) => its === kind)?.[0]
  return spelling === undefined ? attributes : { ...attributes, [attribute]: spelling }
}

/** The reference as it stands on disk. */
export function byId(element: Element, id: string): Element {
  return made(element.name, [made('id', id)], element.attributes)
}
