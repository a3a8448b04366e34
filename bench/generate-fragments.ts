import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Fragments with the shapes that real collections have: stubs of a few hundred bytes beside definitions of 20 to 60
 * variables, texts of several lines in every fifth, letters beyond ASCII in every fourth, an XML declaration in every
 * 25th, a folder for every 60. The same seed gives the same bytes. Answers how many bytes were written.
 */
export function generateFragments(folder: string, count: number, seed = 1): number {
  const random = generator(seed)
  let bytes = 0
  for (let index = 0; index < count; index++) {
    const path = join(folder, pathOf(index))
    if (index % PER_FOLDER === 0) mkdirSync(dirname(path), { recursive: true })
    const content = fragment(index, random)
    writeFileSync(path, content)
    bytes += content.byteLength
  }
  return bytes
}

/** Of the fragment with this number, relative to the folder. */
export function pathOf(index: number): string {
  return `group-${String(Math.floor(index / PER_FOLDER)).padStart(3, '0')}/${idOf(index)}.xml`
}

const PER_FOLDER = 60

function idOf(index: number): string {
  return `station_${String(index).padStart(5, '0')}`
}

type Random = () => number

/** mulberry32. */
function generator(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T
}

function fragment(index: number, random: Random): Buffer {
  if (random() < 0.05) return Buffer.from(stub(index))
  const accented = random() < 0.24
  const body = definition(index, accented, random() < 0.22, random)
  const declared = random()
  if (declared < 0.01) return Buffer.from(`<?xml version="1.0" encoding="ISO-8859-1" ?>\n${body}`, 'latin1')
  return Buffer.from(declared < 0.04 ? `<?xml version="1.0" encoding="UTF-8"?>\n${body}` : body)
}

function stub(index: number): string {
  return `<dataset type="EDDTableFromErddap" datasetID="${idOf(index)}" active="true">
  <sourceUrl>https://erddap.example.org/erddap/tabledap/${idOf(index)}</sourceUrl>
</dataset>
`
}

function definition(index: number, accented: boolean, long: boolean, random: Random): string {
  const type = pick(random, ['EDDTableFromNcFiles', 'EDDTableFromMultidimNcFiles', 'EDDTableFromAsciiFiles'])
  const names = Array.from({ length: 20 + Math.floor(random() * 41) }, (_, at) => `${pick(random, MEASURED)}_${at}`)
  return `<dataset type="${type}" datasetID="${idOf(index)}" active="${random() > 0.02}">
    <reloadEveryNMinutes>10080</reloadEveryNMinutes>
    <updateEveryNMillis>10000</updateEveryNMillis>
    <fileDir>/data/erddap/stations/${idOf(index)}/</fileDir>
    <fileNameRegex>.*_\\d{4}-\\d{2}\\.nc</fileNameRegex>
    <recursive>true</recursive>
    <pathRegex>.*</pathRegex>
    <metadataFrom>last</metadataFrom>
    <standardizeWhat>0</standardizeWhat>
    <fileTableInMemory>false</fileTableInMemory>
    <!-- generated for a benchmark -->
    <addAttributes>
        <att name="cdm_data_type">TimeSeries</att>
        <att name="cdm_timeseries_variables">station, longitude, latitude</att>
        <att name="Conventions">CF-1.6, COARDS, ACDD-1.3</att>
        <att name="creator_name">${accented ? 'Institut océanographique, Zürich' : 'Institute of Oceanography'}</att>
        <att name="infoUrl">https://www.example.org/stations/${index}</att>
        <att name="institution">Example Institute</att>
        <att name="keywords">ocean, oceans, sea, station, ${names.slice(0, 12).join(', ')}</att>
        <att name="license">[standard]</att>
        <att name="standard_name_vocabulary">CF Standard Name Table v70</att>
        <att name="subsetVariables">station, longitude, latitude</att>
        <att name="summary">${summary(index, long)}</att>
        <att name="title">Observations of station ${index}${accented ? ', 20 °C ± 1' : ''}</att>
    </addAttributes>
${['time', 'latitude', 'longitude', 'station', ...names].map((name) => variable(name, accented, random)).join('')}</dataset>
`
}

function summary(index: number, long: boolean): string {
  const sentence = `Quality-controlled observations of station ${index}, averaged over 10 minutes &amp; checked by hand.`
  if (!long) return sentence
  return Array.from({ length: 12 }, (_, line) => `${sentence} Paragraph ${line}: values &lt; 0 are removed.`).join(
    '\n\n',
  )
}

const MEASURED = ['temperature', 'salinity', 'oxygen', 'pressure', 'wind_speed', 'turbidity']

function variable(name: string, accented: boolean, random: Random): string {
  const low = Math.floor(random() * 10)
  const colors = `
            <att name="colorBarMaximum" type="double">${low + 30}.0</att>
            <att name="colorBarMinimum" type="double">${low}.0</att>`
  return `    <dataVariable>
        <sourceName>${name}</sourceName>
        <destinationName>${name}</destinationName>
        <dataType>${pick(random, ['float', 'double', 'int', 'String'])}</dataType>
        <addAttributes>${random() < 0.2 ? colors : ''}
            <att name="ioos_category">${pick(random, ['Temperature', 'Salinity', 'Other'])}</att>
            <att name="units">${name === 'time' ? 'seconds since 1970-01-01T00:00:00Z' : pick(random, UNITS)}</att>${
              accented ? `\n            <att name="long_name">${name} (état brut)</att>` : ''
            }
        </addAttributes>
    </dataVariable>
`
}

const UNITS = ['degree_C', '1e-3', 'm s-1', 'count', 'hPa']
