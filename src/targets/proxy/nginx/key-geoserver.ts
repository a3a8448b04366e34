import {
  GEOSERVER_ADMINISTRATION,
  GEOSERVER_LAYER_FORMS,
  GEOSERVER_PARAMETERS,
  GEOSERVER_SERVICES,
  GEOSERVER_WORKSPACE,
  GEOSERVER_WORKSPACE_LAYER,
} from '../../../core/routing/geoserver.ts'
import { below, named, parameter } from './key-parts.ts'
import type { MapEntry, Maps } from './maps.ts'

const PART = '[A-Za-z0-9_.-]+'
const NAME = `${PART}(?::${PART})?`
const COLON = '(?::|%3[Aa])'
/** What may stand behind the first name of a list. */
const END = '(?:[,()]|%2[Cc89]|\\z)'
/** What two underscores stand behind, where they are the colon of WCS 2. */
const BEFORE_UNDERSCORES = '[A-Za-z0-9_.-]+?'

/** See core/routing/geoserver.ts. Parameters come as they were sent: what clients escape as a rule is known by that too. */
export function geoserverKey(base: string, name: string, maps: Maps): string {
  const root = `(?s)${below(base)}`
  const inPath = maps.define(`${name}_path_layer`, '$uri', '', [
    { when: { regex: `${root}${GEOSERVER_ADMINISTRATION}\\z` }, value: ADMINISTRATION },
    ...GEOSERVER_LAYER_FORMS.map((form) => entry(`${root}${onlyName(form)}\\z`, maps)),
    { when: { regex: below(base, '(?:/|\\z)') }, value: '' },
    { when: { regex: '^' }, value: ADMINISTRATION },
  ])
  const layer = maps.define(`${name}_layer`, inPath, inPath, [{ when: { text: '' }, value: inQuery(name, maps) }])
  const { workspace, own } = virtualService(root, name, maps)
  const both = `${inPath}|${workspace}|${own}|${layer}`
  return maps.define(`${name}_found`, both, layer, [
    { when: { regex: `^${ADMINISTRATION}` }, value: '' },
    { when: { regex: ':[^|]*\\z' }, value: layer },
    { when: { regex: '^[^|]*\\|[^|]+\\|[^|]+\\|' }, value: `${workspace}:${own}` },
    { when: { regex: '^[^|]*\\|[^|]+\\|\\|[^|]+\\z' }, value: `${workspace}:${layer}` },
    { when: { regex: '^[^|]*\\|[^|]+\\|\\|\\z' }, value: workspace },
  ])
}

/** Of no layer, whatever the rest says; and what is not below the base at all. */
const ADMINISTRATION = '!'

/** `topp/wms` and `topp/states/wms`: where the first part is no service itself. */
function virtualService(root: string, name: string, maps: Maps): { readonly workspace: string; readonly own: string } {
  const service = { when: { regex: `${root}(?:${GEOSERVER_SERVICES.join('|')})/` }, value: '' }
  const workspace = named(`${root}${onlyName(GEOSERVER_WORKSPACE)}\\z`, maps)
  const withLayer = named(`${root}${onlyName(GEOSERVER_WORKSPACE_LAYER)}\\z`, maps)
  const layer = named(`${root}${onlyName(onlyName(GEOSERVER_WORKSPACE_LAYER))}\\z`, maps)
  const isWorkspace = { when: workspace, value: workspace.values }
  return {
    workspace: maps.define(`${name}_workspace`, '$uri', '', [
      service,
      isWorkspace,
      { when: withLayer, value: withLayer.groups[0] ?? '' },
    ]),
    own: maps.define(`${name}_own`, '$uri', '', [
      service,
      { when: { regex: workspace.regex }, value: '' },
      { when: layer, value: layer.groups[1] ?? '' },
    ]),
  }
}

/** A chain of maps, one for each parameter: the first that holds a name. */
function inQuery(name: string, maps: Maps): string {
  let next = ''
  for (const key of GEOSERVER_PARAMETERS.toReversed()) {
    const entries = key === 'coverageid' ? coverageId(maps) : names('', maps)
    next = maps.define(`${name}_in_${key}`, parameter(key, maps), next, entries)
  }
  return next
}

function names(unless: string, maps: Maps): readonly MapEntry[] {
  const qualified = named(`^(?:\\(|%28)?${unless}(${PART})${COLON}(${PART})${END}`, maps)
  const single = named(`^(?:\\(|%28)?${unless}(${PART})${END}`, maps)
  return [
    { when: qualified, value: qualified.groups.join(':') },
    { when: single, value: single.values },
  ]
}

function coverageId(maps: Maps): readonly MapEntry[] {
  const underscores = named(`^(?:\\(|%28)?(${BEFORE_UNDERSCORES})__(${PART})${END}`, maps)
  return [{ when: underscores, value: underscores.groups.join(':') }, ...names(`(?!${BEFORE_UNDERSCORES}__)`, maps)]
}

function entry(regex: string, maps: Maps): MapEntry {
  const form = named(regex, maps)
  return { when: form, value: form.values }
}

/** With the first group that takes any part of a path taking names only. */
function onlyName(form: string): string {
  return form.replace(/\(\[\^[^\]]*\]\+\)/, `(${NAME})`)
}
