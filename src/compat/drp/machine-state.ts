import { changed, META_MEMBERS, type NodeMeta } from '../../core/coordination/progress.ts'
import type { Json, JsonObject } from '../../core/json-patch/json.ts'
import { keys } from '../../core/keys.ts'
import { emptyFields, type Fields, nodeProfile, type Profile } from '../../core/profile/profile.ts'
import { allows } from '../../core/scope.ts'
import type { Entry, Store } from '../../core/store.ts'
import type { Caller } from '../../hub/caller.ts'
import { parseValue } from '../../hub/node-entries.ts'
import { mayReach, seen } from '../../hub/profile-access.ts'
import { zNodeMeta, zNodeMetaChange } from '../../hub/schemas/coordination.ts'
import { type About, invalidObject } from './refusal.ts'
import { machineObject } from './shapes.ts'
import type { Thing } from './things.ts'
import { recordIn, uuidIn, uuidOf } from './uuids.ts'

/** All that is known of a machine, under three keys: what it shows, what it is, and its params. */
export interface MachineState {
  readonly name: string
  readonly joined: boolean
  readonly meta: Entry | undefined
  readonly record: Entry | undefined
  readonly profile: Profile | undefined
  readonly profileRevision: number
}

/** Undefined where there is no such machine. */
export async function readMachine(
  store: Store,
  name: string,
  profile: Entry | undefined,
): Promise<MachineState | undefined> {
  const [joined, meta, record] = await Promise.all(
    [keys.joined(name), keys.meta(name), keys.machine(name)].map((key) => store.get(key)),
  )
  if (joined === undefined && record === undefined) return undefined
  return stateOf(name, { joined: joined !== undefined, meta, record, profile })
}

export function stateOf(
  name: string,
  { joined, meta, record, profile }: Pick<MachineState, 'joined' | 'meta' | 'record'> & { profile: Entry | undefined },
): MachineState {
  const parsed = profile && (JSON.parse(profile.value) as Profile)
  return { name, joined, meta, record, profile: parsed, profileRevision: profile?.revision ?? 0 }
}

/** Undefined where the caller may not look at that node. */
export function machineThing(caller: Caller, state: MachineState): Thing | undefined {
  const { name, profileRevision: at } = state
  if (!allows(caller.scopes, 'read', keys.machine(name))) return undefined
  const revisions = [at, state.meta?.revision ?? 0, state.record?.revision ?? 0]
  const { uuid, fields } = identityOf(state)
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

function identityOf({ name, record }: MachineState): { readonly uuid: string; readonly fields: JsonObject } {
  const { Uuid: _, ...fields } = recordIn(record)
  return { uuid: uuidIn(recordIn(record)) ?? uuidOf(name), fields }
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

/** Whether the caller may see a param of a profile that counts for a machine: a node sees all that counts for itself. */
export function machineSight(caller: Caller, name: string): (profile: string, param: string) => boolean {
  if (caller.node === name) return () => true
  return (profile, param) => mayReach(caller, 'read', profile, ['params', param])
}
