import { attribute, type Attribute, type Definition, isGrid, type Variable } from './definition.ts'
import type { World } from './world.ts'

export interface Table {
  /** Whether csv and json say the units: those of data do, those of metadata do not. */
  readonly withUnits: boolean
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
}

export interface Column {
  readonly name: string
  readonly type: 'String' | 'double' | 'float'
  readonly units?: string
}

/** NaN stands for a number that is not known. */
export type Cell = string | number

const ALL = 'allDatasets'
const TIME = 'seconds since 1970-01-01T00:00:00Z'

const text = (name: string): Column => ({ name, type: 'String' })
const number = (name: string, units: string): Column => ({ name, type: 'double', units })

/** The columns of `allDatasets`, in their order. */
const COLUMNS: readonly Column[] = [
  ...['datasetID', 'accessible', 'institution', 'dataStructure', 'cdm_data_type', 'class', 'title'].map(text),
  ...['minLongitude', 'maxLongitude', 'longitudeSpacing'].map((name) => number(name, 'degrees_east')),
  ...['minLatitude', 'maxLatitude', 'latitudeSpacing'].map((name) => number(name, 'degrees_north')),
  ...['minAltitude', 'maxAltitude'].map((name) => number(name, 'm')),
  ...['minTime', 'maxTime'].map((name) => number(name, TIME)),
  number('timeSpacing', 'seconds'),
  ...['griddap', 'subset', 'tabledap', 'MakeAGraph', 'sos', 'wcs', 'wms', 'files', 'fgdc', 'iso19115'].map(text),
  ...['metadata', 'sourceUrl', 'infoUrl', 'rss', 'email', 'testOutOfDate'].map(text),
  { name: 'outOfDate', type: 'float' },
  text('summary'),
]

/**
 * The table of all datasets that a public user may know of, sorted by title as ERDDAP does, reduced to `columns`.
 * Answers the name of a column that does not exist.
 */
export function allDatasets(world: World, base: string, columns: readonly string[]): Table | string {
  const unknown = columns.find((name) => COLUMNS.every((column) => column.name !== name))
  if (unknown !== undefined) return unknown
  const wanted = columns.length === 0 ? COLUMNS : columns.flatMap((name) => COLUMNS.filter((c) => c.name === name))
  const rows = [listItself(base), ...listed(world).map((definition) => list(definition, base))]
  const sorted = rows.toSorted((a, b) => compare(sortKey(a), sortKey(b)))
  return {
    withUnits: true,
    columns: wanted,
    rows: sorted.map((row) => wanted.map(({ name, type }) => row.get(name) ?? (type === 'String' ? '' : Number.NaN))),
  }
}

/** Datasets with `<accessibleTo>` are private: nobody is logged in here, so nobody sees them. */
export function isPrivate(definition: Definition): boolean {
  return definition.values.has('accessibleTo') && definition.values.get('graphsAccessibleTo') !== 'public'
}

function listed(world: World): Definition[] {
  const all = new Map([...world.served].map(([id, { definition }]) => [id, definition]))
  if (world.misbehave === 'lie') for (const [id, definition] of world.announced) all.set(id, definition)
  return [...all.values()].filter((definition) => !isPrivate(definition))
}

function listItself(base: string): Map<string, Cell> {
  return new Map([
    ['datasetID', ALL],
    ['accessible', 'public'],
    ['institution', 'ERDDAP stand-in'],
    ['dataStructure', 'table'],
    ['cdm_data_type', 'Other'],
    ['class', 'EDDTableFromAllDatasets'],
    ['title', '* The List of All Active Datasets in this ERDDAP *'],
    ['tabledap', `${base}/tabledap/${ALL}`],
    [
      'summary',
      'This dataset is a table which has a row of information for each dataset currently active in this ERDDAP.',
    ],
  ])
}

function list(definition: Definition, base: string): Map<string, Cell> {
  const { id, type } = definition
  const dap = `${base}/${isGrid(definition) ? 'griddap' : 'tabledap'}/${id}`
  const global = (name: string) => attribute(definition, name) ?? ''
  return new Map<string, Cell>([
    ['datasetID', id],
    ['accessible', definition.values.has('accessibleTo') ? 'graphs' : 'public'],
    ['institution', global('institution')],
    ['dataStructure', isGrid(definition) ? 'grid' : 'table'],
    ['cdm_data_type', global('cdm_data_type')],
    ['class', type],
    ['title', global('title')],
    [isGrid(definition) ? 'griddap' : 'tabledap', dap],
    ['MakeAGraph', `${dap}.graph`],
    ['files', definition.values.get('accessibleViaFiles') === 'true' ? `${base}/files/${id}/` : ''],
    ['iso19115', definition.values.has('iso19115File') ? `${base}/metadata/iso19115/xml/${id}_iso19115.xml` : ''],
    ['metadata', `${base}/info/${id}/index`],
    ['sourceUrl', definition.values.get('sourceUrl') ?? global('sourceUrl')],
    ['infoUrl', global('infoUrl')],
    ['rss', `${base}/rss/${id}.rss`],
    ['testOutOfDate', global('testOutOfDate')],
    ['summary', global('summary')],
  ])
}

function sortKey(row: ReadonlyMap<string, Cell>): string {
  return `${row.get('title')}\n${row.get('datasetID')}`.toLowerCase()
}

function compare(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}

/** The table of `/info/ID/index`: every attribute of the definition that is served. */
export function info(definition: Definition): Table {
  const first = definition.children[0]
  const of = definition.axes.length + definition.variables.length === 0 && first !== undefined ? first : definition
  const global = definition.attributes.length === 0 && first !== undefined ? first.attributes : definition.attributes
  const variables =
    definition.type === 'EDDGridSideBySide' ? definition.children.flatMap((child) => child.variables) : of.variables
  const axes = of.axes.map(({ destinationName }) => destinationName).join(', ')
  return {
    withUnits: false,
    columns: ['Row Type', 'Variable Name', 'Attribute Name', 'Data Type', 'Value'].map(text),
    rows: [
      ...attributeRows('NC_GLOBAL', global),
      ...of.axes.flatMap((axis) => variableRows('dimension', axis, 'nValues=1, onlyValue=0')),
      ...variables.flatMap((variable) => variableRows('variable', variable, axes)),
    ],
  }
}

function variableRows(row: string, variable: Variable, value: string): string[][] {
  const { destinationName, dataType, attributes } = variable
  return [[row, destinationName, '', dataType, value], ...attributeRows(destinationName, attributes)]
}

function attributeRows(variable: string, attributes: readonly Attribute[]): string[][] {
  return [...attributes]
    .toSorted((a, b) => compare(a.name.toLowerCase(), b.name.toLowerCase()))
    .map(({ name, type, value }) => [
      'attribute',
      variable,
      name,
      type,
      type === 'String' ? value : value.split(/[\s,]+/).join(', '),
    ])
}
