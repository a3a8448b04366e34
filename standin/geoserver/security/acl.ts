import { type Answer, type Ask, done, json, Refusal } from '../http.ts'
import { param } from '../rest/objects.ts'
import type { Routes } from '../router.ts'
import { readProperties, writeProperties } from './properties.ts'

const KINDS = new Set(['layers', 'services', 'rest'])

/** The three lists of rules and the mode of the catalog, each a file that is read anew for every request. */
export const acl: Routes = {
  'GET /rest/security/acl/catalog': (ask) => json({ mode: read(ask, 'layers').get('mode') ?? 'HIDE' }),
  'PUT /rest/security/acl/catalog': changeMode,
  'POST|PUT /rest/security/acl/catalog/reload': () => done,
  'GET /rest/security/acl/:kind': (ask) => json(Object.fromEntries(rules(ask))),
  'POST /rest/security/acl/:kind': (ask) => change(ask, false),
  'PUT /rest/security/acl/:kind': (ask) => change(ask, true),
  'DELETE /rest/security/acl/:kind/*rule': remove,
}

function fileOf(kind: string): string {
  if (!KINDS.has(kind)) throw new Refusal(404, '')
  return `security/${kind}.properties`
}

function read(ask: Ask, kind: string): Map<string, string> {
  const source = ask.world.files.text(fileOf(kind)) ?? ''
  // Rules for REST are `pattern;methods=roles`; REST shows them with a colon.
  return readProperties(source)
}

function shown(kind: string, key: string): string {
  return kind === 'rest' ? key.replace(';', ':') : key
}

function kept(kind: string, key: string): string {
  return kind === 'rest' ? key.replace(/:(?=[A-Z,]+$)/, ';') : key
}

function rules(ask: Ask): readonly (readonly [string, string])[] {
  const kind = param(ask, 'kind')
  const found = [...read(ask, kind)].filter(([key]) => key !== 'mode')
  return found.map(([key, value]) => [shown(kind, key), value.split(',').toSorted().toReversed().join(',')] as const)
}

function change(ask: Ask, exists: boolean): Answer {
  const kind = param(ask, 'kind')
  const found = read(ask, kind)
  const given = Object.entries(JSON.parse(ask.body.toString('utf8')) as Record<string, string>)
  for (const [key] of given) {
    if (found.has(kept(kind, key)) === exists) continue
    throw exists
      ? new Refusal(409, `Can't find rules: ${key}`, true)
      : new Refusal(409, `Already existing rules: ${key}`, true)
  }
  const added = given.map(([key, value]) => [kept(kind, key), value] as const)
  const [mode, others] = [[...found].filter(([key]) => key === 'mode'), [...found].filter(([key]) => key !== 'mode')]
  const merged = exists ? new Map([...found, ...added]) : new Map([...mode, ...added, ...others])
  ask.world.files.write(fileOf(kind), writeProperties(merged))
  return done
}

function remove(ask: Ask): Answer {
  const kind = param(ask, 'kind')
  const found = read(ask, kind)
  const rule = kept(kind, decodeURIComponent(param(ask, 'rule')))
  if (!found.delete(rule)) throw new Refusal(404, `Rule not found: ${param(ask, 'rule')}`)
  ask.world.files.write(fileOf(kind), writeProperties(found))
  return done
}

function changeMode(ask: Ask): Answer {
  const { mode } = JSON.parse(ask.body.toString('utf8')) as { mode?: string }
  if (!['HIDE', 'MIXED', 'CHALLENGE'].includes(mode ?? '')) throw new Refusal(422, `Unknown mode: ${mode}`)
  const found = read(ask, 'layers')
  ask.world.files.write(fileOf('layers'), writeProperties(new Map([...found, ['mode', mode ?? '']])))
  return done
}
