import { type Answer, type Ask, done, json, Refusal, text } from '../http.ts'
import { param } from '../rest/objects.ts'
import type { Routes } from '../router.ts'
import { element } from '../xml.ts'
import { part, readRoles, writeRoles } from './registry.ts'

const LISTS = { user: ['userList', 'userRoles', 'username'], group: ['groupList', 'groupRoles', 'groupname'] } as const

/** Roles and who has them; a role that goes leaves the user's entry behind, empty. (recorded) */
export const roles: Routes = {
  ...routesOf('/rest/security/roles'),
  ...routesOf('/rest/security/roles/service/:service'),
}

function routesOf(path: string): Routes {
  return {
    [`GET ${path}`]: (ask) => json({ roles: names(ask).toSorted() }),
    [`POST ${path}/role/:role`]: addRole,
    [`DELETE ${path}/role/:role`]: removeRole,
    [`GET ${path}/user/:user`]: (ask) => json({ roles: rolesOf(ask, 'user') }),
    [`GET ${path}/group/:user`]: (ask) => json({ roles: rolesOf(ask, 'group') }),
    [`POST ${path}/role/:role/user/:user`]: (ask) => link(ask, 'user'),
    [`POST ${path}/role/:role/group/:user`]: (ask) => link(ask, 'group'),
    [`DELETE ${path}/role/:role/user/:user`]: (ask) => unlink(ask, 'user'),
    [`DELETE ${path}/role/:role/group/:user`]: (ask) => unlink(ask, 'group'),
  }
}

function names(ask: Ask): readonly string[] {
  const service = ask.params['service']
  if (service !== undefined && service !== 'default')
    throw new Refusal(404, `Provided roleservice does not exist: ${service}`)
  return part(readRoles(ask.world), 'roleList').children.map((one) => one.attributes['id'] ?? '')
}

function addRole(ask: Ask): Answer {
  const role = param(ask, 'role')
  if (names(ask).includes(role)) throw new Refusal(400, `The role ${role} already exists`)
  const xml = readRoles(ask.world)
  part(xml, 'roleList').children.push(element('role', undefined, { id: role }))
  writeRoles(ask.world, xml)
  return text(201)
}

function removeRole(ask: Ask): Answer {
  mustExist(ask)
  const xml = readRoles(ask.world)
  const role = param(ask, 'role')
  const list = part(xml, 'roleList')
  list.children = list.children.filter((one) => one.attributes['id'] !== role)
  for (const holder of [...part(xml, 'userList').children, ...part(xml, 'groupList').children]) {
    holder.children = holder.children.filter((one) => one.attributes['roleID'] !== role)
  }
  writeRoles(ask.world, xml)
  return done
}

function mustExist(ask: Ask): void {
  if (!names(ask).includes(param(ask, 'role'))) throw new Refusal(404, `The role ${param(ask, 'role')} does not exist`)
}

function rolesOf(ask: Ask, who: 'user' | 'group'): readonly string[] {
  const [list, , attribute] = LISTS[who]
  const holder = part(readRoles(ask.world), list).children.find(
    (one) => one.attributes[attribute] === param(ask, 'user'),
  )
  return (holder?.children ?? []).map((one) => one.attributes['roleID'] ?? '')
}

function link(ask: Ask, who: 'user' | 'group'): Answer {
  mustExist(ask)
  const xml = readRoles(ask.world)
  const [list, name, attribute] = LISTS[who]
  const holders = part(xml, list)
  let holder = holders.children.find((one) => one.attributes[attribute] === param(ask, 'user'))
  if (holder === undefined) {
    holder = element(name, undefined, { [attribute]: param(ask, 'user') })
    holders.children.push(holder)
  }
  const has = holder.children.some((one) => one.attributes['roleID'] === param(ask, 'role'))
  if (!has) holder.children.push(element('roleRef', undefined, { roleID: param(ask, 'role') }))
  writeRoles(ask.world, xml)
  return done
}

function unlink(ask: Ask, who: 'user' | 'group'): Answer {
  mustExist(ask)
  const xml = readRoles(ask.world)
  const [list, , attribute] = LISTS[who]
  for (const holder of part(xml, list).children) {
    if (holder.attributes[attribute] !== param(ask, 'user')) continue
    holder.children = holder.children.filter((one) => one.attributes['roleID'] !== param(ask, 'role'))
  }
  writeRoles(ask.world, xml)
  return done
}
