import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { type Answer, type Ask, done, payload, Refusal, show } from '../http.ts'
import { merge } from '../merge.ts'
import { fileOf } from '../places.ts'
import type { Routes } from '../router.ts'
import { SERVICES, type Service } from '../services.ts'
import { element, setChild, setText, textAt } from '../xml.ts'
import { param } from './objects.ts'
import { inside } from './workspaces.ts'

const WITHIN = '/rest/services/:service/workspaces/:ws/settings'

/** Settings of WMS, WFS, WCS and WMTS, for all and for a workspace; of others there are none in the core. */
export const services: Routes = {
  'GET /rest/services/:service/settings': (ask) => show(ask, encode(ask, serviceOf(ask))),
  'PUT /rest/services/:service/settings': changeService,
  [`GET ${WITHIN}`]: (ask) => show(ask, encode(ask, serviceOf(ask))),
  [`PUT ${WITHIN}`]: changeService,
  [`DELETE ${WITHIN}`]: (ask) => {
    ask.world.remove(serviceOf(ask))
    return done
  },
}

function serviceName(ask: Ask): Service {
  const name = SERVICES.find((one) => one === param(ask, 'service'))
  if (name === undefined) throw new Refusal(404, '')
  return name
}

function serviceOf(ask: Ask): Item {
  const name = serviceName(ask)
  const workspace = inside(ask)
  const found = ask.world.catalog.find('service', name, { workspace: workspace?.id })
  if (found === undefined) throw new Refusal(404, `Service for workspace ${workspace?.name} does not exist`)
  return found
}

function changeService(ask: Ask): Answer {
  const { world } = ask
  const name = serviceName(ask)
  const workspace = inside(ask)
  const xml = payload(ask, name)
  xml.children = xml.children.filter((one) => one.name !== 'workspace')
  const found = world.catalog.find('service', name, { workspace: workspace?.id })
  if (found !== undefined) {
    merge(found, xml, world.options.version)
    world.save(found)
    return done
  }
  const id = textAt(xml, 'id') ?? world.ids.next(`${name.toUpperCase()}InfoImpl`)
  setText(xml, 'id', id)
  if (textAt(xml, 'name') === undefined) setText(xml, 'name', name.toUpperCase())
  if (workspace !== undefined) setChild(xml, element('workspace', [element('id', workspace.id)]))
  world.add({ kind: 'service', id, name, workspace: workspace?.id, file: fileOf('service', name, workspace), xml })
  return done
}
