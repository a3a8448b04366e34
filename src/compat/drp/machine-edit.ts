import { isSame, type Json, type JsonObject } from '../../core/json-patch/json.ts'
import { isName, keys } from '../../core/keys.ts'
import type { Edit } from '../../core/profile/edit.ts'
import { checkFields, emptyFields, type Fields, fieldsOf, type Known, nodeProfile } from '../../core/profile/profile.ts'
import { allows } from '../../core/scope.ts'
import type { Txn, Write } from '../../core/store.ts'
import { mayReach } from '../../hub/profile-access.ts'
import type { Beside } from '../../profiles/profiles.ts'
import {
  changedNodeMeta,
  isMachine,
  isNodeMeta,
  type MachineParts,
  machineThing,
  machineUuid,
  readParts,
  stateOf,
} from './machine-state.ts'
import { type About, invalidObject, notAllowed, notFound, Refusal } from './refusal.ts'
import { Decoder, MACHINE_DEFAULTS } from './shapes.ts'
import { type Asking, type Change, differences, memberMap, type Thing, withDifferences } from './things.ts'
import { isUuid, recordIn } from './uuids.ts'

type Changes = ReadonlyMap<string, Json | undefined>

/** One change of a machine, whose parts lie under three keys, as one commit: that of its profile, with the others beside. */
export class MachineEdit implements Beside {
  /** As it was, for the answer to its end. */
  before: Thing | undefined
  readonly #asking: Asking
  readonly #name: string
  readonly #change: Change
  readonly #about: About
  #parts: MachineParts = { joined: false, meta: undefined, record: undefined }
  #writes: readonly Write[] = []

  constructor(asking: Asking, name: string, change: Change) {
    this.#asking = asking
    this.#name = name
    this.#change = change
    this.#about = { model: 'machines', key: name, type: asking.request.method }
  }

  get profileEdit(): Edit {
    return {
      profile: nodeProfile(this.#name),
      op: this.#change.action,
      apply: (current) => ({ fields: this.#apply(current) }),
    }
  }

  async read(): Promise<void> {
    this.#parts = await readParts(this.#asking.hub.store, this.#name)
  }

  async txn(): Promise<Txn> {
    const { hub, caller } = this.#asking
    const txn: Txn = {
      expect: [
        { key: keys.meta(this.#name), revision: this.#parts.meta?.revision ?? 0 },
        { key: keys.machine(this.#name), revision: this.#parts.record?.revision ?? 0 },
      ],
      changes: this.#writes,
    }
    if (caller.node !== undefined) await hub.nodeQuota.reserve(caller.node, txn)
    return txn
  }

  /** Answers the fields of its profile; what else is to be written is kept for `txn`. */
  #apply(current: Known | undefined): Fields | undefined {
    const { action, edit } = this.#change
    const isThere = isMachine(this.#parts)
    const state = stateOf(this.#name, this.#parts, current)
    this.#writes = []
    this.before = isThere ? machineThing(this.#asking.caller, state) : undefined
    if (action === 'create') {
      this.#need(keys.machine(this.#name))
      if (isThere) throw new Refusal(409, { ...this.#about, type: 'CREATE' }, ['already exists'])
    } else if (this.before === undefined) throw notFound(this.#about)
    const next = edit(this.before?.object)
    return next === undefined ? this.#end() : this.#replace(current, next)
  }

  #end(): undefined {
    this.#need(keys.machine(this.#name))
    this.#needPlace([])
    if (this.#parts.joined) {
      throw new Refusal(409, { ...this.#about, type: 'DELETE' }, [
        `${this.#name} is a node of Flotilla: \`flotilla nodes forget ${this.#name}\` ends it`,
      ])
    }
    this.#writes = [
      { op: 'delete', key: keys.machine(this.#name) },
      { op: 'delete', key: keys.meta(this.#name) },
    ]
    return undefined
  }

  #replace(current: Known | undefined, next: JsonObject): Fields | undefined {
    const before = this.before?.object ?? {}
    const profile = nodeProfile(this.#name)
    if (!isName(profile)) throw invalidObject(this.#about, 'Name: is too long')
    const read = new Decoder(next, 'Machine', this.#about)
    const params = differences(memberMap(before, 'Params'), read.map('Params'), isSame)
    const meta = [...differences(memberMap(before, 'Meta'), read.map('Meta'), isSame)]
    const shown: Changes = new Map(meta.filter(([member]) => isNodeMeta(member)))
    const kept: Changes = new Map(meta.filter(([member]) => !isNodeMeta(member)))
    for (const param of params.keys()) this.#needPlace(['params', param])
    for (const member of kept.keys()) this.#needPlace(['meta', member])
    const profiles = read.texts('Profiles')
    const hasOthers = !isSame(before['Profiles'] ?? [], profiles)
    if (hasOthers) this.#needPlace(['profiles'])
    this.#writes = [...this.#metaWrites(shown), ...this.#recordWrites(read, before)]
    if (params.size === 0 && kept.size === 0 && !hasOthers) return current && fieldsOf(current.profile)
    const whole = current === undefined ? emptyFields(profile) : fieldsOf(current.profile)
    return checkFields(profile, {
      ...whole,
      params: withDifferences(whole.params, params),
      meta: withDifferences(whole.meta, kept),
      profiles: hasOthers ? profiles : whole.profiles,
    })
  }

  #metaWrites(changes: Changes): readonly Write[] {
    if (changes.size === 0) return []
    const key = keys.meta(this.#name)
    this.#need(key)
    const value = changedNodeMeta(this.#parts.meta, changes, this.#asking.hub.clock.nowMs(), this.#about)
    return [{ op: 'put', key, value }]
  }

  #recordWrites(read: Decoder, before: JsonObject): readonly Write[] {
    const name = read.text('Name')
    const uuid = read.text('Uuid').toLowerCase()
    const old = recordIn(this.#parts.record)
    const own = machineUuid({ name: this.#name, record: this.#parts.record })
    const isNew = this.before === undefined
    if (name !== this.#name) throw invalidObject(this.#about, `Name: cannot be changed from ${this.#name}`)
    if (uuid !== '' && !isUuid(uuid)) throw invalidObject(this.#about, 'Uuid: is no UUID')
    if (!isNew && uuid !== own) throw invalidObject(this.#about, `Uuid: cannot be changed from ${own}`)
    const fields = Object.entries(MACHINE_DEFAULTS).map(([member, zero]) => {
      const value = read.like(member, zero)
      // Its clients create from a struct: what they do not name comes as nothing.
      return [member, isNew && isNothing(value) ? zero : value] as const
    })
    // Whoever holds it could make tokens for the machine, in Digital Rebar; here there is none.
    const changes = new Map(
      fields.filter(
        ([member, value]) =>
          member !== 'Secret' && !isSame(before[member] ?? (MACHINE_DEFAULTS as JsonObject)[member] ?? null, value),
      ),
    )
    if (changes.size === 0 && !isNew) return []
    const key = keys.machine(this.#name)
    this.#need(key)
    const record = withDifferences({ ...old, ...(isNew && uuid !== '' && { Uuid: uuid }) }, changes)
    const value = JSON.stringify(record)
    if (value.length > RECORD_CHARS) throw new Refusal(413, this.#about, ['the machine is too large'])
    return [{ op: 'put', key, value }]
  }

  #need(key: string): void {
    if (!allows(this.#asking.caller.scopes, 'write', key)) throw this.#refusal()
  }

  #needPlace(names: readonly string[]): void {
    if (!mayReach(this.#asking.caller, 'write', nodeProfile(this.#name), names)) throw this.#refusal()
  }

  #refusal(): Refusal {
    const key = this.before?.key ?? this.#name
    return notAllowed(this.#asking.request.url, `machines ${this.#change.action} ${key}`)
  }
}

const RECORD_CHARS = 64 * 1024

function isNothing(value: Json): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value as JsonObject).every(isNothing)
  return value === null || value === '' || value === 0 || value === false
}
