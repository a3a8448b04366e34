import { netCdf, type NetCdfVariable } from './netcdf3.ts'

const HOUR = 3600
/** 2026-03-01T00:00:00Z */
const START = 1_772_323_200
const TIME_UNITS = 'seconds since 1970-01-01T00:00:00Z'

/** A picture of one grey point: ERDDAP lists the cameras' files by name and never looks inside. */
const PICTURE = Buffer.from(
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP' +
    '/'.repeat(85) +
    'wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=',
  'base64',
)

/** Every data file of the demonstration collection, by path under its data folder. The same bytes each time. */
export function demoData(): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>([
    ...['NR001', 'NR002', 'NR003'].map((name, index): [string, Buffer] => [
      `buoys/coast/${name}_2026.nc`,
      coastBuoy(name, index),
    ]),
    ['buoys/waves/2026/waves_202603.nc', waveBuoy()],
    ['models/tide/tide_20260301.nc', grid({ zeta: 'm' }, 10)],
    ['models/waves/waves_2026030100.nc', grid({ hs: 'm', dir: 'degree' }, 8)],
    ['models/currents/u_20260301.nc', grid({ u: 'm s-1' }, 10)],
    ['models/currents/v_20260301.nc', grid({ v: 'm s-1' }, 10)],
    ['models/drift/drift_202603.nc', grid({ speed: 'm s-1' }, 200)],
    ['models/grid/bathymetry.nc', bathymetry()],
    ['moorings/fjord/fjord_2026.nc', mooring()],
    ...['webcam-harbour/harbour_2026030112.jpg', 'webcam-lighthouse/lighthouse_2026030112.jpg'].map(
      (name): [string, Buffer] => [`weather/${name}`, PICTURE],
    ),
  ])
  for (const [path, lines] of textFiles()) files.set(path, Buffer.from(`${lines.join('\n')}\n`))
  return files
}

function textFiles(): [string, string[]][] {
  const tide = (gauge: string, place: string, phase: number): [string, string[]] => [
    `gauges/tide/tide_${gauge}_202603.csv`,
    [
      'gauge,latitude,longitude,time,level',
      ...hourly((h) => `${gauge},${place},${iso(h)},${swing(h, 12.4, phase, 1.2)}`),
    ],
  ]
  const drifter = (name: string, phase: number): [string, string[]] => [
    `buoys/drift/drift-${name}.csv`,
    [
      'time,latitude,longitude',
      ...hourly((h) => `${iso(h)},${fixed(64.1 + h / 100)},${fixed(10.2 + Number(swing(h, 12.4, phase, 0.1)))}`),
    ],
  ]
  return [
    tide('skarvholm', '64.20,9.80', 0),
    tide('vessen', '64.35,10.40', 1),
    drifter('A1', 0),
    drifter('A2', 2),
    [
      'gauges/river/2026/pegel-muehlbruecke.csv',
      [
        'station,time,stage,discharge',
        ...hourly((h) => `Mühlbrücke,${iso(h)},${fixed(1.2 + h / 100)},${fixed(14 + h / 4)}`),
      ],
    ],
    [
      'gauges/lake/levels_2026.jsonl',
      [
        '["lake","time","level","ice"]',
        ...[1, 2, 3].map((day) => `["Upper Vessen","2026-03-0${day}",${fixed(211.4 + day / 50)},${fixed(0.3)}]`),
      ],
    ],
    [
      'weather/stations/meteo_2026.csv',
      [
        'time,temperature,humidity,wind',
        ...hourly((h) => `${iso(h)},${swing(h, 24, 4, 3)},${fixed(80 - h / 2)},${fixed(6 + (h % 5))}`),
      ],
    ],
  ]
}

function hourly(line: (hour: number) => string): string[] {
  return Array.from({ length: 24 }, (_, hour) => line(hour))
}

function coastBuoy(station: string, index: number): Buffer {
  const hours = 24
  const times = sequence(hours, (hour) => START + hour * HOUR)
  const series = (name: string, units: string, standard: string, value: (hour: number) => number) => ({
    ...column('obs', hours, 'float')(name, units, value),
    attributes: { units, standard_name: standard, coordinates: 'time lat lon' },
  })
  const place = column('station', 1, 'double')
  return netCdf({
    dimensions: { station: 1, obs: hours, name_strlen: 5 },
    attributes: { Conventions: 'CF-1.8', featureType: 'timeSeries' },
    variables: [
      {
        name: 'station',
        type: 'char',
        dimensions: ['station', 'name_strlen'],
        attributes: { cf_role: 'timeseries_id' },
        values: [station],
      },
      place('lon', 'degrees_east', () => 9.5 + index / 2),
      place('lat', 'degrees_north', () => 64 + index / 4),
      {
        name: 'rowSize',
        type: 'int',
        dimensions: ['station'],
        attributes: { sample_dimension: 'obs' },
        values: [hours],
      },
      { name: 'time', type: 'double', dimensions: ['obs'], attributes: { units: TIME_UNITS }, values: times },
      series('sst', 'degree_C', 'sea_surface_temperature', (hour) => 5 + index + wave(hour, 24, 0)),
      series('pressure', 'hPa', 'air_pressure_at_mean_sea_level', (hour) => 1008 + 4 * wave(hour, 60, index)),
    ],
  })
}

function waveBuoy(): Buffer {
  const rows = 48
  const [exact, rounded] = [column('row', rows, 'double'), column('row', rows, 'float')]
  return netCdf({
    dimensions: { row: rows },
    attributes: { title: 'Wave Buoy, Skarvholm' },
    variables: [
      exact('time', TIME_UNITS, (row) => START + (row * HOUR) / 2),
      exact('latitude', 'degrees_north', () => 64.21),
      exact('longitude', 'degrees_east', () => 9.71),
      rounded('hs', 'm', (row) => 1.8 + wave(row, 48, 0)),
      rounded('tp', 's', (row) => 8 + 2 * wave(row, 48, 1)),
    ],
  })
}

function mooring(): Buffer {
  const depths = [5, 30, 75, 120]
  const rows = 24 * depths.length
  const depth = (row: number) => depths[row % depths.length] ?? 0
  const [exact, rounded] = [column('row', rows, 'double'), column('row', rows, 'float')]
  return netCdf({
    dimensions: { row: rows },
    attributes: { title: 'Mooring, Vessen Fjord, Inner Basin' },
    variables: [
      exact('time', TIME_UNITS, (row) => START + Math.floor(row / depths.length) * HOUR),
      exact('latitude', 'degrees_north', () => 64.4),
      exact('longitude', 'degrees_east', () => 10.6),
      exact('depth', 'm', depth),
      rounded('temp', 'degree_C', (row) => 7 - depth(row) / 60 + wave(row, 24, 0) / 4),
      rounded('psal', '1', (row) => 30 + depth(row) / 40),
    ],
  })
}

/** Four times on 4 × 5 points; the longitudes begin at `west`. */
function grid(names: Readonly<Record<string, string>>, west: number): Buffer {
  const [times, lats, lons] = [4, 4, 5]
  return netCdf({
    dimensions: { time: times, lat: lats, lon: lons },
    attributes: { Conventions: 'CF-1.8' },
    variables: [
      axis('time', TIME_UNITS, times, (index) => START + index * 3 * HOUR),
      axis('lat', 'degrees_north', lats, (index) => 64 + index / 4),
      axis('lon', 'degrees_east', lons, (index) => west + index / 4),
      ...Object.entries(names).map(([name, units]): NetCdfVariable => ({
        name,
        type: 'float',
        dimensions: ['time', 'lat', 'lon'],
        attributes: { units },
        values: sequence(times * lats * lons, (index) => 0.5 + wave(index, 20, name.length) / 2),
      })),
    ],
  })
}

function bathymetry(): Buffer {
  return netCdf({
    dimensions: { lat: 4, lon: 5 },
    attributes: { Conventions: 'CF-1.8' },
    variables: [
      axis('lat', 'degrees_north', 4, (index) => 64 + index / 4),
      axis('lon', 'degrees_east', 5, (index) => 10 + index / 4),
      {
        name: 'depth',
        type: 'float',
        dimensions: ['lat', 'lon'],
        attributes: { units: 'm' },
        values: sequence(20, (index) => 40 + index * 9),
      },
    ],
  })
}

function axis(name: string, units: string, length: number, value: (index: number) => number): NetCdfVariable {
  return column(name, length, 'double')(name, units, value)
}

/** Makes variables along one dimension. */
function column(dimension: string, length: number, type: 'float' | 'double') {
  return (name: string, units: string, value: (index: number) => number): NetCdfVariable => ({
    name,
    type,
    dimensions: [dimension],
    attributes: { units },
    values: sequence(length, value),
  })
}

function sequence(length: number, value: (index: number) => number): number[] {
  return Array.from({ length }, (_, index) => value(index))
}

/** Between -1 and 1, rounded so that every machine writes the same bytes. */
function wave(at: number, period: number, phase: number): number {
  return Number(Math.sin((2 * Math.PI * at) / period + phase).toFixed(3))
}

function swing(hour: number, period: number, phase: number, height: number): string {
  return fixed(height * wave(hour, period, phase))
}

function fixed(value: number): string {
  return value.toFixed(2)
}

function iso(hour: number): string {
  return new Date((START + hour * HOUR) * 1000).toISOString().replace('.000Z', 'Z')
}
