import { readFileSync, statSync } from 'node:fs'
import { attribute, type Attribute, type Definition, isGrid, type Variable } from './definition.ts'
import { writeTable } from './table-text.ts'
import { allDatasets, info, isPrivate } from './tables.ts'
import { asHtml, statusPage } from './status-page.ts'
import { atLeast, SINCE } from './version.ts'
import type { World } from './world.ts'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string | Buffer
}

export interface Asked {
  /** Behind `/erddap/` and the language, still encoded only where decoding failed. */
  readonly path: string
  /** As it was sent, without the `?`. */
  readonly query: string
  readonly accept: string
}

const HTML = 'text/html;charset=UTF-8'
const TEXT = 'text/plain;charset=UTF-8'
const JSON_TYPE = 'application/json;charset=UTF-8'
const CSV = 'text/csv;charset=ISO-8859-1'

/** Every page but `setDatasetFlag.txt`, which sets something. `base` is the URL of this ERDDAP. */
export function answer(world: World, base: string, { path, query, accept }: Asked): Answer {
  if (path === 'status.html') return { status: 200, type: HTML, body: statusPage(world) }
  if (path === 'version') return version(world, accept, query)
  if (path === 'version_string') {
    return { status: 200, type: TEXT, body: `ERDDAP_version_string=${world.options.version}\n` }
  }
  if (path === 'metrics' && atLeast(world.options.version, SINCE.splitParser)) return metrics(world)
  if (path === '' || path === 'index.html') return { status: 200, type: HTML, body: html('ERDDAP stand-in', '') }
  const all = /^tabledap\/allDatasets\.(csv0|csv|json)$/.exec(path)
  if (all !== null) return listAll(world, base, all[1] as 'csv0' | 'csv' | 'json', query)
  const about = /^info\/([\w.-]+)\/index\.(csv|json)$/.exec(path)
  if (about !== null) {
    return ofDataset(world, about[1] ?? '', (definition) => table(info(definition), about[2] as 'csv' | 'json'))
  }
  const dap = /^(griddap|tabledap)\/([\w.-]+)\.(html|das|csv)$/.exec(path)
  if (dap !== null) return ofDap(world, dap[1] ?? '', dap[2] ?? '', dap[3] ?? '')
  const iso = /^metadata\/iso19115\/xml\/([\w.-]+)_iso19115\.xml$/.exec(path)
  if (iso !== null) return ofDataset(world, iso[1] ?? '', iso19115)
  return failure(404, 'Not Found', 'Page not found.')
}

export function failure(status: number, name: string, message: string): Answer {
  const body = `Error {\n    code=${status};\n    message=${JSON.stringify(`${name}: ${message}`)};\n}\n`
  return { status, type: TEXT, body }
}

function version(world: World, accept: string, query: string): Answer {
  const number = world.options.version.split('.').slice(0, 2).join('.')
  const wantsJson = accept.toLowerCase() === 'application/json' || new URLSearchParams(query).get('format') === 'json'
  if (!wantsJson || !atLeast(world.options.version, SINCE.splitParser)) {
    return { status: 200, type: TEXT, body: `ERDDAP_version=${number}\n` }
  }
  const body = { version: number, version_full: world.options.version, deployment_info: '' }
  return { status: 200, type: JSON_TYPE, body: JSON.stringify(body, undefined, 2) }
}

function metrics(world: World): Answer {
  const failed = world.stats.loads.findLast(({ finishedAtMs }) => finishedAtMs !== undefined)?.failed.length ?? 0
  const { grids, tables } = world.counts()
  const body = `# HELP dataset_count Count of datasets, set at the end of loadDatasets
# TYPE dataset_count gauge
dataset_count{category="grid"} ${grids}
dataset_count{category="table"} ${tables}
# HELP dataset_failed_load_count Count of datasets that failed to load, set at the end of loadDatasets
# TYPE dataset_failed_load_count gauge
dataset_failed_load_count ${failed}
`
  return { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body }
}

function listAll(world: World, base: string, extension: 'csv0' | 'csv' | 'json', query: string): Answer {
  const [names = '', ...constraints] = decode(query).split('&')
  if (constraints.length > 0) return failure(400, 'Bad Request', 'Query error: the stand-in knows no constraints.')
  const found = allDatasets(
    world,
    base,
    names.split(',').filter((name) => name !== ''),
  )
  if (typeof found === 'string') return failure(400, 'Bad Request', `Query error: Unrecognized variable="${found}".`)
  return table(found, extension)
}

function table(content: Parameters<typeof writeTable>[0], extension: 'csv0' | 'csv' | 'json'): Answer {
  return { status: 200, type: extension === 'json' ? JSON_TYPE : CSV, body: writeTable(content, extension) }
}

function ofDataset(world: World, id: string, page: (definition: Definition) => Answer): Answer {
  const served = world.served.get(id)
  if (served === undefined) return failure(404, 'Not Found', `Currently unknown datasetID=${id}`)
  if (isPrivate(served.definition))
    return failure(401, 'Unauthorized', `You are not authorized to access datasetID=${id}.`)
  return page(served.definition)
}

function ofDap(world: World, protocol: string, id: string, extension: string): Answer {
  return ofDataset(world, id, (definition) => {
    if (isGrid(definition) !== (protocol === 'griddap')) {
      return failure(404, 'Not Found', `Currently unknown datasetID=${id}`)
    }
    if (extension === 'das') return { status: 200, type: TEXT, body: das(definition) }
    if (extension === 'csv') return { status: 200, type: CSV, body: header(definition) }
    const title = attribute(definition, 'title') ?? id
    return { status: 200, type: HTML, body: html(title, attribute(definition, 'summary') ?? '') }
  })
}

/** Names and units: the stand-in has no data. */
function header(definition: Definition): string {
  const all = [...definition.axes, ...definition.variables]
  const units = all.map(({ attributes }) => attributes.find(({ name }) => name === 'units')?.value ?? '')
  return `${all.map(({ destinationName }) => destinationName).join(',')}\n${units.join(',')}\n`
}

function das(definition: Definition): string {
  const indent = isGrid(definition) ? '  ' : '   '
  const variables = [...definition.axes, ...definition.variables]
    .map((variable) => dasVariable(variable, indent))
    .join('')
  const body = isGrid(definition) ? variables : ` s {\n${variables} }\n`
  return `Attributes {\n${body}  NC_GLOBAL {\n${dasAttributes(definition.attributes, '    ')}  }\n}\n`
}

function dasVariable({ destinationName, attributes }: Variable, indent: string): string {
  return `${indent}${destinationName} {\n${dasAttributes(attributes, `${indent}  `)}${indent}}\n`
}

function dasAttributes(attributes: readonly Attribute[], indent: string): string {
  return attributes
    .map(({ name, type, value }) => `${indent}${type} ${name} ${type === 'String' ? JSON.stringify(value) : value};\n`)
    .join('')
}

/** ERDDAP copies the file that `<iso19115File>` names; without one it would write a record of its own. */
function iso19115(definition: Definition): Answer {
  const file = definition.values.get('iso19115File') ?? ''
  if (file === '' || statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
    return failure(404, 'Not Found', 'Resource not found: the <iso19115File> specified in datasets.xml.')
  }
  return { status: 200, type: 'application/xml;charset=UTF-8', body: readFileSync(file) }
}

function html(title: string, text: string): string {
  const head = `<!DOCTYPE html>\n<html lang="en-US">\n<head>\n<title>${asHtml(title)}</title>\n</head>\n`
  return `${head}<body>\n<h1>${asHtml(title)}</h1>\n<pre>${asHtml(text)}</pre>\n</body>\n</html>\n`
}

/** `decodeURIComponent` for people: text that is not well encoded stays as it is. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
