import { describe, expect, it } from 'vitest'
import { chunkTimes, modelSets, selectModels } from './open-meteo.ts'
import { pastDays, years } from './times.ts'

const NOW = Date.UTC(2026, 7, 29, 12)
const HOUR = 3600

function selection(variables: readonly string[], given: Partial<Parameters<typeof selectModels>[0]> = {}) {
  return selectModels({
    domains: ['dwd_icon'],
    variables,
    span: pastDays(7, NOW),
    chunks: new Map([['dwd_icon', { chunkLength: 253, stepSeconds: HOUR }]]),
    day: 20_000,
    pressureDay: undefined,
    ...given,
  })
}

function verdict(variables: readonly string[], key: string, given: Parameters<typeof selection>[1] = {}): string {
  const { covers, judge } = selection(variables, given)
  return covers(key) ? judge({ key, modifiedMs: NOW }) : 'not covered'
}

describe('the words that stand for many variables', () => {
  it.for([
    [['temperature_2m'], 'dwd_icon/temperature_2m/rolling.om', 'wanted'],
    [['temperature_2m'], 'dwd_icon/precipitation/rolling.om', 'not covered'],
    [['temperature_2m'], 'dwd_icon/temperature_2m_previous_day1/rolling.om', 'not covered'],
    [['temperature_2m'], 'gfs013/temperature_2m/rolling.om', 'not covered'],
    [['temperature_2m'], 'dwd_icon/static/HSURF.om', 'wanted'],
    [['really_download_all_variables'], 'dwd_icon/temperature_850hPa/rolling.om', 'wanted'],
    [['really_download_all_surface_levels'], 'dwd_icon/temperature_850hPa/rolling.om', 'not covered'],
    [['really_download_all_surface_levels'], 'dwd_icon/cape/rolling.om', 'wanted'],
    [['really_download_all_surface_levels'], 'dwd_icon/cape_previous_day2/rolling.om', 'not covered'],
    [['really_download_all_pressure_levels'], 'dwd_icon/temperature_850hPa/rolling.om', 'wanted'],
    [['really_download_all_pressure_levels'], 'dwd_icon/cape/rolling.om', 'not covered'],
    [['really_download_all_previous_day'], 'dwd_icon/wind_u_component_70m_previous_day3/rolling.om', 'wanted'],
    [['really_download_all_previous_day'], 'dwd_icon/wind_u_component_70m/rolling.om', 'wanted'],
    [['really_download_all_previous_day'], 'dwd_icon/soil_moisture/rolling.om', 'not covered'],
    [['temperature_2m'], 'dwd_icon/temperature_2m/temporary~', 'not covered'],
    [['temperature_2m'], 'dwd_icon/temperature_2m/master_0.om', 'wanted'],
  ] as const)('%s, %s: %s', ([variables, key, expected]) => {
    expect(verdict(variables, key)).toBe(expected)
  })
})

it('brings pressure levels once a day where that is asked for', () => {
  const once = ['really_download_all_but_pressure_once_per_day']
  const key = 'dwd_icon/temperature_850hPa/rolling.om'
  expect(verdict(once, key)).toBe('wanted')
  expect(selection(once).remember).toEqual({ 'pressure-day': '20000' })
  expect(verdict(once, key, { pressureDay: '20000' })).toBe('later')
  expect(verdict(once, 'dwd_icon/cape/rolling.om', { pressureDay: '20000' })).toBe('wanted')
  expect(selection(once).fingerprint).not.toBe(selection(once, { pressureDay: '20000' }).fingerprint)
})

describe('chunks', () => {
  const chunkMs = 253 * HOUR * 1000
  const current = Math.floor(NOW / chunkMs)
  const key = (chunk: number): string => `dwd_icon/temperature_2m/chunk_${chunk}.om`

  it('are chosen by the time that they hold', () => {
    const oldest = Math.floor((NOW - 7 * 86_400_000) / chunkMs)
    for (let chunk = current - 3; chunk <= current + 2; chunk++) {
      expect(verdict(['temperature_2m'], key(chunk)), key(chunk)).toBe(chunk >= oldest ? 'wanted' : 'unwanted')
    }
  })

  it('are chosen by the time of their change where the model does not say how long they are', () => {
    const { judge } = selection(['temperature_2m'], { chunks: new Map() })
    expect(judge({ key: key(1), modifiedMs: NOW })).toBe('wanted')
    expect(judge({ key: key(current), modifiedMs: NOW - 8 * 86_400_000 })).toBe('unwanted')
  })

  it('and years are chosen by years', () => {
    const given = { span: years(2000, 2005) }
    expect(verdict(['temperature_2m'], 'dwd_icon/temperature_2m/year_2005.om', given)).toBe('wanted')
    expect(verdict(['temperature_2m'], 'dwd_icon/temperature_2m/year_2006.om', given)).toBe('unwanted')
    expect(verdict(['temperature_2m'], key(current), given)).toBe('unwanted')
  })
})

it('enters only folders of the models and variables', () => {
  const { enters = () => false } = selection(['temperature_2m']).scope
  const all = ['dwd_icon/', 'gfs013/', 'dwd_icon/temperature_2m/', 'dwd_icon/static/', 'dwd_icon/cape/']
  expect(all.filter((folder) => enters(folder))).toEqual(['dwd_icon/', 'dwd_icon/temperature_2m/', 'dwd_icon/static/'])
})

it('reads how long the chunks of a model are, or does not', () => {
  expect(chunkTimes('{"chunk_time_length":253,"temporal_resolution_seconds":3600}')).toEqual({
    chunkLength: 253,
    stepSeconds: 3600,
  })
  for (const text of ['', '{}', '[]', 'null', '{"chunk_time_length":0,"temporal_resolution_seconds":3600}']) {
    expect(chunkTimes(text)).toBeUndefined()
  }
})

it('reads sets for several servers as openmeteo-api does', () => {
  expect(modelSets('a,b;c', 'x;y,z', 2)).toEqual([
    { domains: ['a', 'b'], variables: ['x'] },
    { domains: ['c'], variables: ['y', 'z'] },
  ])
  expect(modelSets('a;b', 'x', 2).map(({ variables }) => variables)).toEqual([['x'], ['x']])
  expect(() => modelSets('a;b', 'x', 1)).toThrow(/1 servers/)
  expect(() => modelSets('a;b', 'x;y;z', 2)).toThrow(/3 sets of variables/)
  expect(() => modelSets('../a', 'x', 1)).toThrow(/no name/)
  expect(() => modelSets('', 'x', 1)).toThrow(/empty/)
})
