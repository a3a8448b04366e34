import { type Answer, type Ask, created, done, list, payload, Refusal, show } from '../http.ts'
import { param } from '../rest/objects.ts'
import type { Routes } from '../router.ts'
import type { World } from '../world.ts'
import { element, type Element, parseXml, setChild, textAt, writeXml } from '../xml.ts'

const FILE = 'security/urlchecks.xml'

export const urlChecks: Routes = {
  'GET /rest/urlchecks': listChecks,
  'POST /rest/urlchecks': add,
  'GET /rest/urlchecks/:name': (ask) => show(ask, { ...checkOf(ask, read(ask.world)), name: 'regexUrlCheck' }),
  'PUT /rest/urlchecks/:name': change,
  'DELETE /rest/urlchecks/:name': remove,
}

function read({ files }: World): Element {
  return parseXml(files.text(FILE) ?? '<checks><enabled>true</enabled></checks>')
}

function checkOf(ask: Ask, checks: Element): Element {
  const found = checks.children.find((one) => textAt(one, 'name') === param(ask, 'name'))
  if (found === undefined) throw new Refusal(404, `No such URL check found: '${param(ask, 'name')}'`)
  return found
}

function listChecks(ask: Ask): Answer {
  const names = read(ask.world).children.flatMap((one) => textAt(one, 'name') ?? [])
  return list(
    ask,
    'urlChecks',
    'urlCheck',
    names.map((name) => ({ name, href: `urlchecks/${encodeURIComponent(name)}` })),
  )
}

function add(ask: Ask): Answer {
  const given = payload(ask, 'regexUrlCheck')
  const checks = read(ask.world)
  const name = textAt(given, 'name') ?? ''
  if (checks.children.some((one) => textAt(one, 'name') === name)) {
    throw new Refusal(409, `URL check '${name}' already exists`, true)
  }
  checks.children.splice(-1, 0, element('regex', given.children))
  ask.world.files.write(FILE, writeXml(checks))
  return created(ask, `urlchecks/${encodeURIComponent(name)}`, name)
}

function change(ask: Ask): Answer {
  const given = payload(ask, 'regexUrlCheck')
  const checks = read(ask.world)
  const found = checkOf(ask, checks)
  for (const one of given.children) setChild(found, one)
  ask.world.files.write(FILE, writeXml(checks))
  return done
}

function remove(ask: Ask): Answer {
  const checks = read(ask.world)
  const found = checkOf(ask, checks)
  checks.children = checks.children.filter((one) => one !== found)
  ask.world.files.write(FILE, writeXml(checks))
  return done
}
