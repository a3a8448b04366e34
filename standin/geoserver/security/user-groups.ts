import { digest } from '../digest.ts'
import { type Answer, type Ask, done, json, payload, Refusal, text } from '../http.ts'
import { param } from '../rest/objects.ts'
import type { Routes } from '../router.ts'
import { element, type Element, textAt } from '../xml.ts'
import { part, readUsers, writeUsers } from './registry.ts'

export const userGroups: Routes = {
  ...routesOf('/rest/security/usergroup'),
  ...routesOf('/rest/security/usergroup/service/:service'),
}

function routesOf(path: string): Routes {
  return {
    [`GET ${path}/users`]: (ask) => json({ users: users(readUsers(ask.world)).map(shown) }),
    [`POST ${path}/users`]: addUser,
    [`POST ${path}/user/:user`]: changeUser,
    [`DELETE ${path}/user/:user`]: (ask) => remove(ask, 'user'),
    [`GET ${path}/groups`]: (ask) =>
      json({ groups: groups(readUsers(ask.world)).map((one) => one.attributes['name']) }),
    [`POST ${path}/group/:group`]: addGroup,
    [`DELETE ${path}/group/:group`]: (ask) => remove(ask, 'group'),
    [`GET ${path}/group/:group/users`]: (ask) => json({ users: members(ask) }),
    [`GET ${path}/user/:user/groups`]: (ask) => json({ groups: groupsOf(ask) }),
    [`POST ${path}/user/:user/group/:group`]: (ask) => membership(ask, true),
    [`DELETE ${path}/user/:user/group/:group`]: (ask) => membership(ask, false),
  }
}

function users(xml: Element): readonly Element[] {
  return part(xml, 'users').children
}

function groups(xml: Element): readonly Element[] {
  return part(xml, 'groups').children
}

function shown({ attributes }: Element) {
  return { userName: attributes['name'], password: null, enabled: attributes['enabled'] === 'true' }
}

function namedIn(xml: Element, kind: 'user' | 'group', name: string): Element {
  const found = part(xml, `${kind}s`).children.find((one) => one.attributes['name'] === name)
  if (found === undefined) throw new Refusal(404, `Provided ${kind}name does not exist: ${name}`)
  return found
}

/** Removes what the path names. */
function remove(ask: Ask, kind: 'user' | 'group'): Answer {
  const xml = readUsers(ask.world)
  const gone = namedIn(xml, kind, param(ask, kind))
  const all = part(xml, `${kind}s`)
  all.children = all.children.filter((one) => one !== gone)
  writeUsers(ask.world, xml)
  return done
}

function addUser(ask: Ask): Answer {
  const given = payload(ask, 'user')
  const name = textAt(given, 'userName') ?? ''
  const xml = readUsers(ask.world)
  if (users(xml).some((one) => one.attributes['name'] === name))
    throw new Refusal(404, `Username already exists: ${name}`)
  const attributes = {
    enabled: textAt(given, 'enabled') ?? 'true',
    name,
    password: digest(textAt(given, 'password') ?? ''),
  }
  part(xml, 'users').children.push(element('user', undefined, attributes))
  writeUsers(ask.world, xml)
  return text(201)
}

function changeUser(ask: Ask): Answer {
  const given = payload(ask, 'user')
  const xml = readUsers(ask.world)
  const user = namedIn(xml, 'user', param(ask, 'user'))
  const [password, enabled] = [textAt(given, 'password'), textAt(given, 'enabled')]
  if (password !== undefined) user.attributes['password'] = digest(password)
  if (enabled !== undefined) user.attributes['enabled'] = enabled
  writeUsers(ask.world, xml)
  return done
}

function addGroup(ask: Ask): Answer {
  const xml = readUsers(ask.world)
  part(xml, 'groups').children.push(element('group', undefined, { enabled: 'true', name: param(ask, 'group') }))
  writeUsers(ask.world, xml)
  return text(201)
}

function members(ask: Ask) {
  const xml = readUsers(ask.world)
  return namedIn(xml, 'group', param(ask, 'group')).children.map((one) =>
    shown(namedIn(xml, 'user', one.attributes['username'] ?? '')),
  )
}

function groupsOf(ask: Ask) {
  const has = (group: Element): boolean =>
    group.children.some((one) => one.attributes['username'] === param(ask, 'user'))
  return groups(readUsers(ask.world))
    .filter(has)
    .map((one) => one.attributes['name'])
}

function membership(ask: Ask, isMember: boolean): Answer {
  const xml = readUsers(ask.world)
  namedIn(xml, 'user', param(ask, 'user'))
  const group = namedIn(xml, 'group', param(ask, 'group'))
  group.children = group.children.filter((one) => one.attributes['username'] !== param(ask, 'user'))
  if (isMember) group.children.push(element('member', undefined, { username: param(ask, 'user') }))
  writeUsers(ask.world, xml)
  return done
}
