import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { FIXTURES, needs } from '../../test/helpers/needs.ts'
import { Sandbox, servedTitle, text, until } from './test-kit.ts'

const COLLECTION = join(import.meta.dirname, '../../examples/collection')
const FRAGMENTS = join(COLLECTION, 'datasets.d')
const test = await needs({})
const withFixtures = await needs({ fixtures: true })

function read(path: string): string {
  const bytes = readFileSync(join(FRAGMENTS, path))
  return bytes.toString(bytes.includes('encoding="ISO-8859-1"') ? 'latin1' : 'utf8')
}

/** The example collection as one file, put together without any of the code under test. */
function compiled(files: string): string {
  const paths = readdirSync(FRAGMENTS, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.xml') && !path.startsWith('files') && path !== 'datasets.template.xml',
  )
  const fragments = paths.toSorted().map((path) => read(path).replace(/^<\?xml.*\?>/, ''))
  return read('datasets.template.xml')
    .replace('</erddapDatasets>', () => `${fragments.join('\n')}\n</erddapDatasets>`)
    .replaceAll('${node.data}', join(COLLECTION, 'data'))
    .replaceAll('${node.files}', files)
}

test('every active dataset of the example collection loads from its data, and its texts arrive whole', async () => {
  const box = new Sandbox()
  box.writeRaw(compiled(FRAGMENTS))
  const erddap = await box.start()
  await until('what was put off is loaded', () => erddap.served().includes('coastBuoys'))
  // Composite datasets whose children were put off wait for the second major load.
  await erddap.majorLoad()
  expect([...erddap.served()].toSorted()).toEqual([
    'bathymetry',
    'coastBuoys',
    'driftBuoys',
    'fjordMooring',
    'lakeLevels',
    'northernDrift',
    'partnerGliders',
    'riverStage',
    'stationMeteo',
    'surfaceCurrents',
    'tidalForecast',
    'tideGauges',
    'waveBuoys',
    'waveForecast',
    'webcamHarbour',
    'webcamLighthouse',
  ])
  expect(erddap.stats.badReads).toEqual([])
  expect(await servedTitle(erddap, 'coastBuoys')).toBe('Coastal Buoys')
  expect(await servedTitle(erddap, 'riverStage')).toBe('Pegel Mühlbrücke: Wasserstand und Abfluss')
  expect(await text(erddap, 'info/stationMeteo/index.json')).toContain('«\u00a0brutes\u00a0»\u00a0: elles')
  expect(await text(erddap, 'info/lakeLevels/index.json')).toContain('where it is > 0.1 m & safe')
  expect(await text(erddap, 'info/surfaceCurrents/index.csv')).toMatch(/variable,u,.*[^]*variable,v,/)
  expect(await text(erddap, 'metadata/iso19115/xml/fjordMooring_iso19115.xml')).toContain('Øysund Marine Station')
  expect(erddap.setting('loadDatasetsMinMinutes')).toBe('15')
})

withFixtures('SalishSeaCast’s own datasets.xml is read to its end, and all of it can be served', async () => {
  const box = new Sandbox()
  box.writeRaw(readFileSync(join(FIXTURES, 'erddap/salishseacast/datasets.xml')))
  const erddap = await box.start({ assumeFiles: true })
  expect(erddap.stats.loads[0]?.tried).toHaveLength(52)
  await until('all are served', () => erddap.served().length === 52)
  expect(erddap.stats.badReads).toEqual([])
  expect(await text(erddap, 'status.html')).toContain('nGridDatasets  = 42\nnTableDatasets = 11\n')
})

withFixtures('ERDDAP’s own test files do here what its tests say of them', async () => {
  const own = join(FIXTURES, 'erddap/erddap-own/src/test/resources/datasets')
  const duplicates = new Sandbox()
  duplicates.writeRaw(readFileSync(join(own, 'duplicateDatasetsTest.xml')))
  expect(await text(await duplicates.start(), 'status.html')).toContain('ERROR: Duplicate datasetIDs in datasets.xml')
  const topLevel = new Sandbox()
  topLevel.writeRaw(readFileSync(join(own, 'topLevelHandlerTest.xml')))
  expect((await topLevel.start()).stats.badReads).toEqual([])
})
