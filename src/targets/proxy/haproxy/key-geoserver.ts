import {
  GEOSERVER_ADMINISTRATION,
  GEOSERVER_LAYER_FORMS,
  GEOSERVER_PARAMETERS,
  GEOSERVER_SERVICES,
  GEOSERVER_WORKSPACE,
  GEOSERVER_WORKSPACE_LAYER,
} from '../../../core/routing/geoserver.ts'
import { ANY_BYTE, atBase, below, found, is, type KeyPartWriter, type Mapping, missing, NOTHING } from './key-parts.ts'

const PART = '[A-Za-z0-9_.-]+'
const NAME = `${PART}(?::${PART})?`
const PAGES = `${NOTHING}pages`

/** Puts the key into `key`. See core/routing/geoserver.ts; `own` makes the names of variables and files. */
export function geoserverKey(base: string, own: (name: string) => string, writer: KeyPartWriter): string {
  const [path, layer, virtual, workspace, name, key] = names(own)
  const root = ANY_BYTE + below(base)
  const forms = GEOSERVER_LAYER_FORMS.map((form): Mapping => [`${root}${form}\\z`, '\\1'])
  const inPath: readonly Mapping[] = [
    [`${root}${GEOSERVER_ADMINISTRATION}\\z`, PAGES],
    ...forms,
    [atBase(base), NOTHING],
  ]
  const isName = writer.map('geoserver-name.map', [[`^(${NAME})\\z`, '\\1']])
  writer.set(path, `var(txn.path),${writer.map(`${path}.map`, inPath)}`)
  const isHere = [found(path), `!${is(path, PAGES)}`]
  writer.set(layer, `var(txn.${path}),${isName}`, ...isHere)
  for (const parameter of GEOSERVER_PARAMETERS) {
    const first = writer.map(...firstOf(parameter))
    writer.set(layer, `${writer.parameter(parameter)},${first},${isName}`, ...isHere, missing(layer))
  }
  writer.set(virtual, `var(txn.path),${writer.map(`${virtual}.map`, virtualServices(root))}`, ...isHere)
  writer.set(workspace, `var(txn.${virtual}),field(1,|)`, `!${is(virtual, NOTHING)}`)
  writer.set(name, `var(txn.${layer})`)
  writer.set(name, `var(txn.${virtual}),field(2,|)`)
  writer.set(key, `var(txn.${name})`)
  writer.set(key, `var(txn.${workspace})`, missing(name))
  writer.set(key, `var(txn.${workspace}),concat(:,txn.${name})`, found(workspace), found(name))
  writer.set(key, `var(txn.${layer})`, `{ var(txn.${layer}) -m sub : }`)
  return key
}

function names(own: (name: string) => string) {
  return [own('path'), own('layer'), own('virtual'), own('workspace'), own('name'), own('key')] as const
}

/** `workspace` or `workspace|layer`; what is a service itself, or no name, is no workspace. */
function virtualServices(root: string): readonly Mapping[] {
  const service = `${root}(?:${GEOSERVER_SERVICES.join('|')})/`
  return [
    [service, NOTHING],
    [`${root}${onlyName(GEOSERVER_WORKSPACE)}\\z`, '\\1'],
    [`${root}${GEOSERVER_WORKSPACE}\\z`, NOTHING],
    [`${root}${onlyName(onlyName(GEOSERVER_WORKSPACE_LAYER))}\\z`, '\\1|\\2'],
    [`${root}${onlyName(GEOSERVER_WORKSPACE_LAYER)}\\z`, '\\1'],
  ]
}

/** The first of a list; of a coverage with the colon that GeoServer writes as two underscores there. */
function firstOf(parameter: string): readonly [file: string, mappings: readonly Mapping[]] {
  const first: Mapping = ['^\\(?([^,()]+)', '\\1']
  if (parameter !== 'coverageid') return ['geoserver-first.map', [first]]
  return ['geoserver-coverage.map', [['^\\(?([^:,()]+?)__([^,()]*)', '\\1:\\2'], first]]
}

/** With the first group that takes any part of a path taking names only. */
function onlyName(form: string): string {
  return form.replace('([^/]+)', `(${NAME})`)
}
