import {
  ERDDAP_EVERY_NODE,
  ERDDAP_FORMS,
  ERDDAP_LANGUAGE,
  ERDDAP_NOT_A_DATASET,
  ERDDAP_PARAMETER,
} from '../../../core/routing/erddap.ts'
import { KEY_CHARS } from '../../../core/routing/key.ts'
import type { KeyRule } from '../../../core/routing/model.ts'
import { rulePattern } from '../../../core/routing/pattern.ts'
import { geoserverKey } from './key-geoserver.ts'
import { below, named, parameter } from './key-parts.ts'
import { openmeteoKey } from './key-openmeteo.ts'
import type { Maps } from './maps.ts'

/*
 * The rules of core/routing as `map` blocks over `$uri`, which is decoded and has no query, and over `$flotilla_args`.
 * A map is evaluated when its variable is first asked for, and once in a request.
 */

/** Defines `$flotilla_key`: empty where no rule finds one. */
export function keyMaps(rules: readonly KeyRule[], maps: Maps): void {
  let next = ''
  for (const [index, rule] of [...rules.entries()].toReversed()) {
    const name = `r${index + 1}`
    const found = byRule(rule, name, maps)
    const capture = maps.capture()
    const isKey = `^(?<${capture}>[A-Za-z0-9_.:@~+/-]{1,${KEY_CHARS}})\\z`
    next = maps.define(name, found, next, [{ when: { regex: isKey }, value: `$${capture}` }])
  }
  maps.define('key', '', next, [])
}

/** Defines `$flotilla_every`: 1 for what must reach every node. */
export function everyNodeMap(rules: readonly KeyRule[], maps: Maps): void {
  const entries = rules.flatMap((rule) =>
    rule.system === 'erddap'
      ? [{ when: { regex: `${below(rule.base)}${ERDDAP_LANGUAGE}${ERDDAP_EVERY_NODE}\\z` }, value: '1' }]
      : [],
  )
  maps.define('every', '$uri', '', entries)
}

function byRule(rule: KeyRule, name: string, maps: Maps): string {
  switch (rule.system) {
    case 'erddap':
      return erddapKey(rule.base, name, maps)
    case 'geoserver':
      return geoserverKey(rule.base, name, maps)
    case 'openmeteo':
      return openmeteoKey(rule.base, name, maps)
    case 'path': {
      const part = named(`${below(rule.base)}([^/]+)`, maps)
      return maps.define(`${name}_part`, '$uri', '', [{ when: part, value: part.values }])
    }
    case 'rule':
      break
  }
  const own = named(ownPattern(rule.pattern), maps)
  return maps.define(`${name}_own`, '$uri', '', [{ when: own, value: own.values }])
}

/** Stands for "not below the base": no parameter counts there. */
const ELSEWHERE = '!'

function erddapKey(base: string, name: string, maps: Maps): string {
  const page = `(?s)${below(base)}${ERDDAP_LANGUAGE}+`
  const forms = ERDDAP_FORMS.map((form) => named(`${page}${form}\\z`, maps))
  const path = maps.define(`${name}_path`, '$uri', ELSEWHERE, [
    { when: { regex: `${page}${ERDDAP_NOT_A_DATASET}\\z` }, value: '' },
    ...forms.map((form) => ({ when: form, value: form.values })),
    { when: { regex: below(base, '(?:/|\\z)') }, value: '' },
  ])
  const id = named('^([A-Za-z0-9_][A-Za-z0-9_.-]*)\\z', maps)
  const parameterId = maps.define(`${name}_named`, parameter(ERDDAP_PARAMETER, maps), '', [
    { when: { regex: '^allDatasets\\z' }, value: '' },
    { when: id, value: id.values },
  ])
  return maps.define(`${name}_found`, path, path, [
    { when: { text: ELSEWHERE }, value: '' },
    { when: { text: '' }, value: parameterId },
  ])
}

/** `$` at the end of a path that ends with a line break, and `.` for one, mean more to PCRE than to JavaScript. */
function ownPattern(pattern: string): string {
  rulePattern(pattern)
  return `(*ANYCRLF)${pattern.replace(/(?<!\\)\$$/, '\\z')}`
}
