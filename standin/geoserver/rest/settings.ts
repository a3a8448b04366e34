import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { type Answer, type Ask, created, done, payload, Refusal, show } from '../http.ts'
import { SHAPES } from '../kinds.ts'
import { fileOf } from '../places.ts'
import { merge } from '../merge.ts'
import type { Routes } from '../router.ts'
import { order } from '../shape.ts'
import type { World } from '../world.ts'
import { child, copy, element, type Element, setChild, setText, textAt, writeXml } from '../xml.ts'
import { param } from './objects.ts'
import { workspaceOf } from './workspaces.ts'

export const settings: Routes = {
  'GET /rest/settings': (ask) => show(ask, ask.world.catalog.global),
  'PUT /rest/settings': changeGlobal,
  'GET /rest/settings/contact': (ask) => show(ask, contact(ask.world)),
  'PUT /rest/settings/contact': changeContact,
  'GET /rest/logging': (ask) => show(ask, ask.world.catalog.logging),
  'PUT /rest/logging': changeLogging,
  'GET /rest/workspaces/:ws/settings': (ask) => show(ask, encode(ask, settingsOf(ask))),
  'POST /rest/workspaces/:ws/settings': (ask) => {
    changeSettings(ask)
    return created(ask, `workspaces/${param(ask, 'ws')}/settings`, param(ask, 'ws'))
  },
  'PUT /rest/workspaces/:ws/settings': (ask) => changeSettings(ask),
  'DELETE /rest/workspaces/:ws/settings': (ask) => {
    ask.world.remove(settingsOf(ask))
    return done
  },
}

function contact(world: World): Element {
  const found = child(child(world.catalog.global, 'settings'), 'contact') ?? element('contact')
  return { ...found, children: found.children.filter(({ name }) => name !== 'id') }
}

/** Fields of a primitive type that a payload leaves out become what Java starts with. */
function withPrimitives(xml: Element): Element {
  for (const [field, value] of Object.entries(SHAPES.settings.primitives)) {
    if (child(xml, field) === undefined) setText(xml, field, value)
  }
  return order(SHAPES.settings, xml)
}

/**
 * Fields of the root are merged, but `settings` as a whole is replaced by the one in the payload, and the update
 * sequence starts anew when it is left out. (recorded: afterwards charset, contact and title are gone)
 */
function changeGlobal(ask: Ask): Answer {
  const { world } = ask
  const xml = payload(ask, 'global')
  for (const given of xml.children) {
    if (given.name !== 'settings') setChild(world.catalog.global, given)
    else {
      const made = element(
        'settings',
        given.children.filter(({ name }) => name !== 'id'),
      )
      setText(made, 'id', world.ids.next('SettingsInfoImpl'))
      if (child(made, 'contact') === undefined) setChild(made, element('contact', [element('id', 'contact')]))
      setChild(world.catalog.global, withPrimitives(made))
    }
  }
  if (child(xml, 'updateSequence') === undefined) setText(world.catalog.global, 'updateSequence', '0')
  world.changed()
  return done
}

function changeContact(ask: Ask): Answer {
  const { world } = ask
  const given = payload(ask, 'contact')
  const kept = child(world.catalog.global, 'settings') ?? element('settings')
  const made = child(kept, 'contact') ?? element('contact')
  for (const one of given.children) setChild(made, one)
  setChild(kept, made)
  setChild(world.catalog.global, kept)
  world.changed()
  return done
}

/** No change of the catalog: the update sequence stays. `stdOutLogging` is a primitive: left out it becomes false. */
function changeLogging(ask: Ask): Answer {
  const { world } = ask
  const { logging } = world.catalog
  const xml = payload(ask, 'logging')
  for (const given of xml.children) if (given.name !== 'id') setChild(logging, given)
  if (child(xml, 'stdOutLogging') === undefined) setText(logging, 'stdOutLogging', 'false')
  world.files.write('logging.xml', writeXml(logging))
  return done
}

function settingsOf(ask: Ask): Item {
  const workspace = workspaceOf(ask)
  const [found] = ask.world.catalog.list('settings', { workspace: workspace.id })
  if (found === undefined) throw new Refusal(404, `No such settings for workspace: '${workspace.name}'`)
  return found
}

/** Makes them when there are none. */
function changeSettings(ask: Ask): Answer {
  const { world } = ask
  const workspace = workspaceOf(ask)
  const xml = payload(ask, 'settings')
  const [found] = world.catalog.list('settings', { workspace: workspace.id })
  xml.children = xml.children.filter(({ name }) => name !== 'workspace')
  if (found !== undefined) {
    merge(found, xml, world.options.version)
    world.save(found)
    return done
  }
  const id = textAt(xml, 'id') ?? world.ids.next('SettingsInfoImpl')
  setText(xml, 'id', id)
  // The whole workspace is written into them, not its id alone. (recorded)
  setChild(xml, { ...copy(workspace.xml), name: 'workspace' })
  if (child(xml, 'contact') === undefined) setChild(xml, element('contact', [element('id', 'contact')]))
  const file = fileOf('settings', '', workspace)
  world.add({ kind: 'settings', id, name: '', workspace: workspace.id, file, xml: withPrimitives(xml) })
  return done
}
