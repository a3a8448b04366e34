import { sha256 } from '../../../lib/hash.ts'
import type { Place } from './classify.ts'
import type { ObjectKind } from './model.ts'
import { nameIn, qualified, splitKey, unspoken } from './names.ts'
import { type Ids, referenceIn } from './references.ts'
import { childOf, type Element, textIn } from './xml.ts'

/** Kinds that are known by a key of their own, for there is only one. */
const SINGLE: Readonly<Partial<Record<ObjectKind, string>>> = {
  global: 'global/global',
  logging: 'logging/logging',
  'default-workspace': 'default-workspace/default',
}

/** Which element of an object says what it belongs to, and so where its name counts. */
const OWNER: Readonly<Partial<Record<ObjectKind, string>>> = {
  'workspace-settings': 'workspace',
  service: 'workspace',
  style: 'workspace',
  datastore: 'workspace',
  coveragestore: 'workspace',
  wmsstore: 'workspace',
  wmtsstore: 'workspace',
  layergroup: 'workspace',
  featuretype: 'namespace',
  coverage: 'namespace',
  wmslayer: 'namespace',
  wmtslayer: 'namespace',
  layer: 'resource',
}

/** Kinds of which some belong to no workspace. */
const MAY_BE_GLOBAL = new Set<ObjectKind>(['service', 'style', 'layergroup'])

/**
 * Key of the object that a file defines; undefined if it does not say its name, or if what it belongs to is not known.
 * `ids` must have the ids of the kinds before it in `OBJECT_KINDS`; the file may as well be in its portable form.
 */
export function keyOf(kind: ObjectKind, root: Element, ids: Ids): string | undefined {
  const single = SINGLE[kind]
  if (single !== undefined) return single
  const name = nameOf(kind, root)
  if (kind === 'workspace' || kind === 'namespace')
    return name === '' ? undefined : `${kind}/${qualified(undefined, name)}`
  if (kind === 'tile-layer') return name === '' ? undefined : `${kind}/${unspoken(name)}`
  const owner = childOf(root, OWNER[kind] ?? '')
  const reference = owner === undefined ? undefined : referenceIn(owner, ids)
  if (reference === undefined)
    return MAY_BE_GLOBAL.has(kind) && name !== '' ? `${kind}/${qualified(undefined, name)}` : undefined
  if (reference.key === undefined) return undefined
  const its = splitKey(reference.key).name
  if (kind === 'layer' || kind === 'workspace-settings') return `${kind}/${its}`
  return name === '' ? undefined : `${kind}/${qualified(nameIn(its).name, name)}`
}

function nameOf(kind: ObjectKind, root: Element): string {
  if (kind === 'namespace') return textIn(root, 'prefix')
  return kind === 'service' ? root.name.toLowerCase() : textIn(root, 'name')
}

/** The id that an object has on disk; undefined where it has none. That of the global settings is one level deeper. */
export function idOf(place: Place, root: Element): string | undefined {
  const holder = place.kind === 'global' ? childOf(root, 'settings') : root
  const id = holder === undefined ? '' : textIn(holder, 'id')
  return id === '' ? undefined : id
}

/** How GeoServer begins the ids of a kind. */
const CLASS_OF: Readonly<Partial<Record<ObjectKind, string>>> = {
  workspace: 'WorkspaceInfoImpl',
  'default-workspace': 'WorkspaceInfoImpl',
  namespace: 'NamespaceInfoImpl',
  'workspace-settings': 'SettingsInfoImpl',
  global: 'SettingsInfoImpl',
  style: 'StyleInfoImpl',
  datastore: 'DataStoreInfoImpl',
  coveragestore: 'CoverageStoreInfoImpl',
  wmsstore: 'WMSStoreInfoImpl',
  wmtsstore: 'WMTSStoreInfoImpl',
  featuretype: 'FeatureTypeInfoImpl',
  coverage: 'CoverageInfoImpl',
  wmslayer: 'WMSLayerInfoImpl',
  wmtslayer: 'WMTSLayerInfoImpl',
  layer: 'LayerInfoImpl',
  layergroup: 'LayerGroupInfoImpl',
}

/** An id in GeoServer's form, the same on every node that makes one for that key. */
export function madeId(key: string): string {
  const { kind, name } = splitKey(key)
  const service = `${nameIn(name).name.toUpperCase()}InfoImpl`
  const hash = sha256(key)
  // GeoServer's: a random int, the time in milliseconds and a short that counts down, in hexadecimal digits.
  const [random, time, count] = [hash.slice(0, 8), hash.slice(8, 19), hash.slice(19, 22)]
  return `${CLASS_OF[kind as ObjectKind] ?? service}--${random}:${time}:-7${count}`
}
