/** A file in the classic netCDF format, all in memory: enough for small demonstration data. */
export interface NetCdf {
  /** Lengths by name. */
  readonly dimensions: Readonly<Record<string, number>>
  readonly attributes: Readonly<Record<string, string>>
  readonly variables: readonly NetCdfVariable[]
}

export interface NetCdfVariable {
  readonly name: string
  readonly type: 'char' | 'int' | 'float' | 'double'
  /** Names of dimensions, the slowest first. */
  readonly dimensions: readonly string[]
  readonly attributes: Readonly<Record<string, string>>
  /** Numbers in storage order, or for `char` one text per row, padded to the length of the last dimension. */
  readonly values: readonly number[] | readonly string[]
}

// The numbers of the classic format's grammar, section "NetCDF Classic Format Specification" of the netCDF documentation.
const TAG = { dimensions: 10, variables: 11, attributes: 12 } as const
const TYPES = { char: 2, int: 4, float: 5, double: 6 } as const
const SIZES = { char: 1, int: 4, float: 4, double: 8 } as const

/** The bytes of the file. */
export function netCdf(file: NetCdf): Buffer {
  const bodies = file.variables.map((variable) => padded(body(variable, file.dimensions)))
  const { length } = header(file, bodies, 0)
  return Buffer.concat([header(file, bodies, length), ...bodies])
}

/** `start`: where the first variable's data begin; it does not change the header's length. */
function header(file: NetCdf, bodies: readonly Buffer[], start: number): Buffer {
  const names = Object.keys(file.dimensions)
  const dimensions = names.map((name) => Buffer.concat([text(name), int(file.dimensions[name] ?? 0)]))
  let at = start
  const variables = file.variables.map((variable, index) => {
    const size = bodies[index]?.length ?? 0
    const begin = at
    at += size
    return Buffer.concat([
      text(variable.name),
      int(variable.dimensions.length),
      ...variable.dimensions.map((name) => int(names.indexOf(name))),
      attributes(variable.attributes),
      int(TYPES[variable.type]),
      int(size),
      int(begin),
    ])
  })
  return Buffer.concat([
    Buffer.from('CDF\u0001', 'latin1'),
    int(0),
    list(TAG.dimensions, dimensions),
    attributes(file.attributes),
    list(TAG.variables, variables),
  ])
}

function attributes(values: Readonly<Record<string, string>>): Buffer {
  const all = Object.entries(values).map(([name, value]) => Buffer.concat([text(name), int(TYPES.char), text(value)]))
  return list(TAG.attributes, all)
}

function list(tag: number, entries: readonly Buffer[]): Buffer {
  return Buffer.concat([int(entries.length === 0 ? 0 : tag), int(entries.length), ...entries])
}

function body({ type, values, dimensions }: NetCdfVariable, lengths: Readonly<Record<string, number>>): Buffer {
  if (type === 'char') {
    const width = lengths[dimensions.at(-1) ?? ''] ?? 0
    return Buffer.from(values.map((value) => String(value).padEnd(width, '\0').slice(0, width)).join(''), 'latin1')
  }
  const bytes = Buffer.alloc(values.length * SIZES[type])
  values.forEach((value, index) => {
    const at = index * SIZES[type]
    if (type === 'int') bytes.writeInt32BE(Number(value), at)
    else if (type === 'float') bytes.writeFloatBE(Number(value), at)
    else bytes.writeDoubleBE(Number(value), at)
  })
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int(bytes.length), padded(bytes)])
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}
