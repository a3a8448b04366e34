import { changed, META_MEMBERS, type NodeMeta } from '../../core/coordination/progress.ts'
import type { Json, JsonObject } from '../../core/json-patch/json.ts'
import { keys } from '../../core/keys.ts'
import { emptyFields, type Fields, type Known, nodeProfile, type Profile } from '../../core/profile/profile.ts'
import { allows } from '../../core/scope.ts'
import type { Entry, Store } from '../../core/store.ts'
import type { Caller } from '../../hub/caller.ts'
import { parseValue } from '../../hub/node-entries.ts'
import { seen } from '../../hub/profile-access.ts'
import { zNodeMeta, zNodeMetaChange } from '../../hub/schemas/coordination.ts'
import { type About, invalidObject } from './refusal.ts'
import { machineObject } from './shapes.ts'
import type { Thing } from './things.ts'
import { recordIn, uuidIn, uuidOf } from './uuids.ts'

/** What the store says of a machine but for its params: what it shows, and what it is. */
export interface MachineParts {
  readonly joined: boolean
  readonly meta: Entry | undefined
  readonly record: Entry | undefined
}

/** All that is known of a machine. */
export interface MachineState extends MachineParts {
  readonly name: string
  readonly profile: Profile | undefined
  readonly profileRevision: number
}

export async function readParts(store: Store, name: string): Promise<MachineParts> {
  const [joined, meta, record] = await Promise.all(
    [keys.joined(name), keys.meta(name), keys.machine(name)].map((key) => store.get(key)),
  )
  return { joined: joined !== undefined, meta, record }
}

/** The same from keys that were read before. */
export function partsIn(name: string, at: (key: string) => Entry | undefined): MachineParts {
  return {
    joined: at(keys.joined(name)) !== undefined,
    meta: at(keys.meta(name)),
    record: at(keys.machine(name)),
  }
}

export function isMachine({ joined, record }: MachineParts): boolean {
  return joined || record !== undefined
}

export function stateOf(name: string, parts: MachineParts, profile: Known | undefined): MachineState {
  return { name, ...parts, profile: profile?.profile, profileRevision: profile?.revision ?? 0 }
}

/** Undefined where the caller may not look at that node. */
export function machineThing(caller: Caller, state: MachineState): Thing | undefined {
  const { name, profileRevision: at } = state
  if (!allows(caller.scopes, 'read', keys.machine(name))) return undefined
  const revisions = [at, state.meta?.revision ?? 0, state.record?.revision ?? 0]
  const { Uuid: _, ...fields } = recordIn(state.record)
  const uuid = machineUuid(state)
  const { meta, params, profiles } = shownProfile(caller, state)
  const object = machineObject({
    name,
    uuid,
    meta: { ...meta, ...nodeMetaOf(caller, state) },
    params,
    profiles,
    fields,
  })
  return { model: 'machines', key: uuid, name, profile: nodeProfile(name), etag: `"${revisions.join('.')}"`, object }
}

export function machineUuid({ name, record }: Pick<MachineState, 'name' | 'record'>): string {
  return uuidIn(recordIn(record)) ?? uuidOf(name)
}

/** What the caller may see of the profile of a node: its params and the profiles it has. */
function shownProfile(caller: Caller, { name, profile, profileRevision }: MachineState): Fields {
  const own = nodeProfile(name)
  if (profile === undefined) return emptyFields(own)
  return seen(caller, { profile, revision: profileRevision })
}

/** Texts, as everything in the meta of Digital Rebar. */
function nodeMetaOf(caller: Caller, { name, meta }: MachineState): JsonObject {
  if (meta === undefined || !allows(caller.scopes, 'read', keys.meta(name))) return {}
  const shown = parseValue(zNodeMeta, meta.value) ?? {}
  const members = META_MEMBERS.flatMap((member) => (shown[member] === undefined ? [] : [[member, `${shown[member]}`]]))
  return Object.fromEntries(members) as JsonObject
}

export function isNodeMeta(member: string): boolean {
  return (META_MEMBERS as readonly string[]).includes(member)
}

/** The value of `node/<node>/meta` after a change of some members. */
export function changedNodeMeta(
  meta: Entry | undefined,
  changes: ReadonlyMap<string, Json | undefined>,
  nowMs: number,
  about: About,
): string {
  const wanted = Object.fromEntries(
    [...changes].map(([member, value = null]) => [member, member === 'percent' ? percent(value) : value]),
  )
  const change = zNodeMetaChange.safeParse(wanted)
  if (!change.success) {
    const [issue] = change.error.issues
    throw invalidObject(about, `Meta ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is not valid'}`)
  }
  const before: NodeMeta = (meta && parseValue(zNodeMeta, meta.value)) ?? {}
  return JSON.stringify(changed(before, change.data, nowMs))
}

function percent(value: Json): Json {
  return typeof value === 'string' && /^\d{1,3}$/.test(value) ? Number(value) : value
}
