import type { Cell, Column, Table } from './tables.ts'

/** A table as ERDDAP writes it: `csv0` has no header, `csv` has the names and then the units. */
export function writeTable(table: Table, extension: 'csv0' | 'csv' | 'json'): string {
  if (extension === 'json') return json(table)
  const lines = table.rows.map((row) => row.map((cell, index) => csvCell(cell, table.columns[index])).join(','))
  if (extension === 'csv') {
    const units = table.columns.map((column) => csvText(unitsOf(column) ?? '')).join(',')
    lines.unshift(table.columns.map(({ name }) => csvText(name)).join(','), ...(table.withUnits ? [units] : []))
  }
  return lines.map((line) => `${line}\n`).join('')
}

function unitsOf({ units }: Column): string | undefined {
  return units?.startsWith('seconds since') === true ? 'UTC' : units
}

function csvCell(cell: Cell, column: Column | undefined): string {
  if (typeof cell === 'string') return csvText(cell)
  if (!Number.isNaN(cell)) return String(cell)
  return column !== undefined && unitsOf(column) === 'UTC' ? '' : 'NaN'
}

/** String2.toSVString: quoted and JSON-encoded where it has to be, in ASCII, inner quotes doubled. */
function csvText(value: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are among those that need quotes
  const special = /[\u0000-\u001f,\\"\u007f-\uffff]/.test(value)
  if (!special && value.trim() === value) return value
  const encoded = JSON.stringify(value).replaceAll(String.raw`\"`, '""')
  return encoded.replaceAll(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function json({ columns, rows, withUnits }: Table): string {
  const units = columns.map((column) => unitsOf(column) ?? null)
  return `{
  "table": {
    "columnNames": ${list(columns.map(({ name }) => name))},
    "columnTypes": ${list(columns.map((column) => (unitsOf(column) === 'UTC' ? 'String' : column.type)))},
${withUnits ? `    "columnUnits": ${list(units)},\n` : ''}    "rows": [
${rows.map(jsonRow).join(',\n')}
    ]
  }
}
`
}

function list(values: readonly (string | null)[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(', ')}]`
}

function jsonRow(row: readonly Cell[]): string {
  return `      [${row.map(jsonCell).join(', ')}]`
}

function jsonCell(cell: Cell): string {
  return typeof cell === 'number' && Number.isNaN(cell) ? 'null' : JSON.stringify(cell)
}
