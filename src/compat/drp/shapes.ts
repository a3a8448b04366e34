import { isJsonArray, isJsonObject, type Json, type JsonObject } from '../../core/json-patch/json.ts'
import type { Fields } from '../../core/profile/profile.ts'
import { type About, notAcceptable } from './refusal.ts'

/*
 * Objects as Digital Rebar sends them: exactly the members of its Go structs (`models/profile.go`, `models/machine.go`, 4.8), in
 * their order, maps sorted. A client that sends a whole object back as its reference adds what it misses and drops
 * what it does not know, so one member more or less would make every such update fail.
 */

const HEAD = { Validated: true, Available: true, Errors: [], ReadOnly: false } as const
const BELOW = { Endpoint: '', Bundle: '', Partial: false } as const

export function profileObject({ name, description, documentation, meta, params, profiles }: Fields): JsonObject {
  return {
    ...HEAD,
    Meta: sorted(meta),
    ...BELOW,
    Name: name,
    Description: description,
    Documentation: documentation,
    Params: sorted(params),
    Profiles: profiles,
  }
}

/** What a machine has besides name, meta, params and profiles, as it is where nobody has said anything. */
export const MACHINE_DEFAULTS = {
  Description: '',
  CurrentJob: '',
  Address: '',
  Stage: 'none',
  BootEnv: 'local',
  Tasks: [],
  CurrentTask: 0,
  RetryTaskAttempt: 0,
  TaskErrorStacks: [],
  Runnable: true,
  Secret: '',
  OS: '',
  HardwareAddrs: [],
  Workflow: '',
  Arch: 'amd64',
  Locked: false,
  Context: '',
  Fingerprint: { SSNHash: '', CSNHash: '', CloudInstanceID: '', SystemUUID: '', MemoryIds: [] },
  Pool: 'default',
  PoolAllocated: false,
  PoolStatus: 'Free',
  WorkflowComplete: false,
} as const satisfies JsonObject

export interface MachineParts {
  readonly name: string
  readonly uuid: string
  readonly meta: JsonObject
  readonly params: JsonObject
  readonly profiles: readonly string[]
  /** Those of `MACHINE_DEFAULTS` that were set. */
  readonly fields: JsonObject
}

export function machineObject({ name, uuid, meta, params, profiles, fields }: MachineParts): JsonObject {
  const { Description, CurrentJob, Address, Stage, BootEnv, ...rest } = { ...MACHINE_DEFAULTS, ...fields }
  return {
    ...HEAD,
    Meta: sorted(meta),
    ...BELOW,
    Name: name,
    Description,
    Uuid: uuid,
    CurrentJob,
    Address,
    Stage,
    BootEnv,
    Profiles: profiles,
    Params: sorted(params),
    ...rest,
  }
}

/** As Go writes maps. */
function sorted(value: JsonObject): JsonObject {
  const names = Object.keys(value).toSorted()
  return Object.fromEntries(names.map((name) => [name, ordered(value[name] as Json)]))
}

export function ordered(value: Json): Json {
  if (isJsonArray(value)) return value.map(ordered)
  return isJsonObject(value) ? sorted(value) : value
}

/** Reads the members of an object as Go does: null is nothing, and another type is not acceptable. */
export class Decoder {
  readonly #object: JsonObject
  readonly #struct: string
  readonly #about: About

  constructor(object: JsonObject, struct: string, about: About) {
    this.#object = object
    this.#struct = struct
    this.#about = about
  }

  text(member: string): string {
    return this.like(member, '') as string
  }

  map(member: string): JsonObject {
    return this.like(member, {}) as JsonObject
  }

  texts(member: string): readonly string[] {
    return this.like(member, []) as readonly string[]
  }

  /** The member, of the type that `zero` has; `zero` where it is absent. Elements of lists of anything but tasks are texts. */
  like(member: string, zero: Json): Json {
    const value = this.#object[member] ?? null
    if (value === null) return zero
    const isFit =
      typeof value === typeof zero &&
      isJsonArray(value) === isJsonArray(zero) &&
      (!isJsonArray(value) || member === 'TaskErrorStacks' || value.every((each) => typeof each === 'string')) &&
      (typeof value !== 'number' || Number.isInteger(value))
    if (isFit) return value
    const field = `Go struct field ${this.#struct}.${member} of type ${goType(zero)}`
    throw notAcceptable(this.#about, `json: cannot unmarshal ${kindOf(value)} into ${field}`)
  }
}

function kindOf(value: Json): string {
  if (isJsonArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}

function goType(zero: Json): string {
  if (isJsonArray(zero)) return '[]string'
  if (typeof zero === 'object') return 'map[string]interface {}'
  if (typeof zero === 'number') return 'int'
  return typeof zero === 'boolean' ? 'bool' : 'string'
}
