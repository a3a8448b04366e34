import { isName, keys } from '../../core/keys.ts'
import { nodeProfile } from '../../core/profile/profile.ts'
import type { Entry } from '../../core/store.ts'
import { MachineEdit } from './machine-edit.ts'
import { isMachine, machineThing, partsIn, readParts, stateOf } from './machine-state.ts'
import { knownIn } from './profiles.ts'
import { notFound } from './refusal.ts'
import { type Asking, type Kind, type Thing } from './things.ts'
import { machineRecords, NamesByUuid } from './uuids.ts'

const MODEL = 'machines'

/** Our nodes as Digital Rebar's machines, and machines that are no nodes, under the keys of a node. */
export function machinesKind(): Kind {
  let names: NamesByUuid | undefined
  const nameOf = async ({ hub }: Asking, key: string): Promise<string | undefined> => {
    if (key.startsWith('Name:')) return key.slice('Name:'.length)
    names ??= new NamesByUuid(hub.store)
    return names.nameOf((key.startsWith('Uuid:') ? key.slice('Uuid:'.length) : key).toLowerCase())
  }
  return {
    model: MODEL,
    find: async (asking, key) => {
      const name = await nameOf(asking, key)
      return name === undefined || !isName(name) ? undefined : read(asking, name)
    },
    list: async (asking) => list(asking),
    change: async (asking, key, change) => {
      const { hub, caller, request } = asking
      const name = change.action === 'create' ? key : await nameOf(asking, key)
      if (name === undefined || !isName(name)) throw notFound({ model: MODEL, key, type: request.method })
      const edit = new MachineEdit(asking, name, change)
      const by = { id: caller.id, label: caller.label }
      await hub.profiles.change([edit.profileEdit], { by, once: change.once, beside: edit })
      const thing = (await read(asking, name)) ?? edit.before
      if (thing === undefined) throw notFound({ model: MODEL, key, type: request.method })
      return thing
    },
    untilOther: async ({ hub, ...who }, { profile, name, etag }, ms) => {
      const [first = '', second = '', third = ''] = etag.replaceAll('"', '').split('.')
      await hub.waits.within(who, ms, async (wait) => {
        const over = new AbortController()
        const inner = { ms: wait.ms, signal: AbortSignal.any([wait.signal, over.signal]) }
        const other = (key: string, revision: string): Promise<unknown> =>
          hub.board.untilKey(key, (entry) => String(entry?.revision ?? 0) !== revision || undefined, inner)
        const all = [
          other(keys.profile(profile), first),
          other(keys.meta(name), second),
          other(keys.machine(name), third),
        ]
        try {
          await Promise.race(all)
        } finally {
          over.abort()
          await Promise.allSettled(all)
        }
      })
    },
  }
}

async function read({ hub, caller }: Asking, name: string): Promise<Thing | undefined> {
  const [parts, profile] = await Promise.all([readParts(hub.store, name), hub.profiles.get(nodeProfile(name))])
  return isMachine(parts) ? machineThing(caller, stateOf(name, parts, profile)) : undefined
}

async function list({ hub, caller }: Asking): Promise<readonly Thing[]> {
  const [nodes, profiles] = await Promise.all([
    hub.store.list(keys.nodes),
    hub.store.list(keys.profile(nodeProfile(''))),
  ])
  const byKey = new Map<string, Entry>([...nodes.entries, ...profiles.entries].map((entry) => [entry.key, entry]))
  const at = (key: string): Entry | undefined => byKey.get(key)
  const things = [...machineRecords(nodes.entries).keys()].flatMap((name) => {
    const state = stateOf(name, partsIn(name, at), knownIn(at(keys.profile(nodeProfile(name)))))
    return machineThing(caller, state) ?? []
  })
  return things.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}
