import { describe, expect, test } from 'vitest'
import { isForEveryNode, keyOf } from './key.ts'
import type { KeyRule } from './model.ts'

const RULES = {
  erddap: { system: 'erddap', base: '/erddap' },
  geoserver: { system: 'geoserver', base: '/geoserver' },
  openmeteo: { system: 'openmeteo', base: '' },
  path: { system: 'path', base: '/tiles/' },
} as const satisfies Record<string, KeyRule>

function key(url: string, ...rules: readonly KeyRule[]): string | undefined {
  return keyOf(url, rules)?.key
}

describe('the dataset of an ERDDAP URL', () => {
  test.for([
    ['/erddap/griddap/sst.nc?analysed_sst[(2020-01-01)][0][0]', 'sst'],
    ['/erddap/griddap/sst.NC', 'sst'],
    ['/erddap/griddap/sst.ncHeader', 'sst'],
    ['/erddap/griddap/sst', 'sst'],
    ['/erddap/griddap/sst/', 'sst'],
    ['/erddap/tabledap/buoys.csv?station,url&url="http://a/b"', 'buoys'],
    ['/erddap/tabledap/buoys.subset', 'buoys'],
    ['/erddap/tabledap/my.data-set_2.csv0', 'my.data-set_2'],
    ['/erddap/info/buoys/index.html', 'buoys'],
    ['/erddap/info/buoys', 'buoys'],
    ['/erddap/wms/sst/request?service=WMS&layers=sst:analysed_sst', 'sst'],
    ['/erddap/wms/sst/index.html', 'sst'],
    ['/erddap/files/sst/', 'sst'],
    ['/erddap/files/my.id/2020/a.nc', 'my.id'],
    ['/erddap/files/sst/%FF/%E2%82%AC.nc', 'sst'],
    ['/erddap/metadata/iso19115/xml/sst_iso19115.xml', 'sst'],
    ['/erddap/metadata/fgdc/xml/a_fgdc_fgdc.xml', 'a_fgdc'],
    ['/erddap/rss/sst.rss', 'sst'],
    ['/erddap/sos/buoys/server?service=SOS', 'buoys'],
    ['/erddap/wcs/sst/server?service=WCS', 'sst'],
    ['/erddap/fr/griddap/sst.html', 'sst'],
    ['/erddap/zh-CN/info/sst/index.html', 'sst'],
    ['/erddap/setDatasetFlag.txt?datasetID=sst&flagKey=1', 'sst'],
    ['/erddap/setDatasetFlag.txt?flagKey=1&DatasetId=s%73t', 'sst'],
    ['/erddap/fr/subscriptions/add.html?datasetID=sst&email=a%40b', 'sst'],
    ['/erddap//griddap///sst.nc', 'sst'],
    ['/erddap/griddap/s%73t.nc', 'sst'],
    ['/erddap%2Fgriddap/sst.nc', 'sst'],
    ['/erddap/info/../griddap/./sst.nc', 'sst'],
    ['https://data.example.org/erddap/griddap/sst.nc?a', 'sst'],
  ] as const)('%s is %s', ([url, expected]) => {
    expect(key(url, RULES.erddap)).toBe(expected)
  })

  test.for([
    '/erddap/griddap/index.html',
    '/erddap/tabledap/documentation.html',
    '/erddap/info/index.html?page=1',
    '/erddap/fr/wms/index.html',
    '/erddap/files/',
    '/erddap/files/.csv',
    '/erddap/tabledap/allDatasets.csv0?datasetID%2Cclass',
    '/erddap/info/allDatasets/index.html',
    '/erddap/search/index.html?searchFor=/erddap/griddap/sst.nc',
    '/erddap/index.html?u=/griddap/sst.nc',
    '/erddap/',
    '/erddap',
    '/',
    '/ERDDAP/griddap/sst.nc',
    '/erddap/GRIDDAP/sst.nc',
    '/erddap2/griddap/sst.nc',
    '/erddap/griddap/s%2573t.nc',
    '/erddap/griddap/a b.nc',
    '/erddap/griddap/%22;.nc',
    '/erddap/griddap/sst%00.nc',
    '/erddap/griddap/sst%zz.nc',
    '/erddap/../../griddap/sst.nc',
    '/erddap/setDatasetFlag.txt?datasetID=a%20b',
    `/erddap/griddap/${'a'.repeat(201)}.nc`,
  ])('%s is of no dataset', (url) => {
    expect(key(url, RULES.erddap)).toBeUndefined()
  })

  test('any base will do, none at all too', () => {
    expect(key('/griddap/sst.nc', { system: 'erddap', base: '' })).toBe('sst')
    expect(key('/a/b/griddap/sst.nc', { system: 'erddap', base: '/a/b/' })).toBe('sst')
  })
})

describe('the layer of a GeoServer URL', () => {
  test.for([
    ['/geoserver/wms?SERVICE=WMS&REQUEST=GetMap&LAYERS=topp:states', 'topp:states'],
    ['/geoserver/wms?styles=&layers=topp%3Astates', 'topp:states'],
    ['/geoserver/wms?LaYeRs=topp%3astates&x=1', 'topp:states'],
    ['/geoserver/topp/wms?layers=states', 'topp:states'],
    ['/geoserver/topp/wms?layers=other:states', 'other:states'],
    ['/geoserver/topp/states/wms?request=GetCapabilities', 'topp:states'],
    ['/geoserver/topp/states/ows?typeName=states', 'topp:states'],
    ['/geoserver/wfs?request=GetFeature&TYPENAMES=(topp:states)(topp:roads)', 'topp:states'],
    ['/geoserver/wcs?CoverageId=topp__states', 'topp:states'],
    ['/geoserver/topp/wms?layers=a__b', 'topp:a__b'],
    ['/geoserver/gwc/service/wmts/rest/topp:states/EPSG:900913/EPSG:900913:4/5/6', 'topp:states'],
    ['/geoserver/topp/gwc/service/wmts/rest/states/EPSG:900913/4/5/6', 'topp:states'],
    ['/geoserver/gwc/service/tms/1.0.0/topp%3Astates@EPSG:900913@png/4/5/6.png', 'topp:states'],
    ['/geoserver/ogc/features/v1/collections/topp:states/items', 'topp:states'],
    ['/geoserver/wms?LAYERS=topp%3Aroads%2Ctopp%3Astates', 'topp:roads'],
    ['/geoserver/wms?request=GetFeatureInfo&query_layers=topp:states&layers=topp:roads', 'topp:roads'],
    ['/geoserver//topp///wms?layers=states', 'topp:states'],
    ['/geoserver/topp/wms?request=GetCapabilities', 'topp'],
    ['/geoserver/wms?layers=states', 'states'],
  ] as const)('%s is %s', ([url, expected]) => {
    expect(key(url, RULES.geoserver)).toBe(expected)
  })

  test.for([
    '/geoserver/wms?request=GetCapabilities',
    '/geoserver/rest/layers.json?layers=a:b',
    '/geoserver/gwc/rest/layers?layer=a:b',
    '/geoserver/web/',
    '/geoserver/wms?layers=a%20b',
    '/geoserver/wms?layers=%253A',
    '/geoserver/wms?layers=a:b:c',
    '/geoserver/wms?x=layers=a:b',
  ])('%s is of no layer', (url) => {
    expect(key(url, RULES.geoserver)).toBeUndefined()
  })
})

describe('the model or tile of an Open-Meteo URL', () => {
  test.for([
    ['/v1/forecast?latitude=52.52&longitude=13.41&models=icon_seamless', 'forecast/icon_seamless'],
    ['/v1/forecast?MODELS=icon_seamless%2Cgfs_seamless', 'forecast/icon_seamless'],
    ['/v1/forecast?latitude=52.52&longitude=13.41', 'forecast/5/1'],
    ['/v1/forecast?latitude=52.52&longitude=13.41&models=Best_Match', 'forecast/5/1'],
    ['/v1/forecast?latitude=-5.1&longitude=-122.4', 'forecast/-/-12'],
    ['/v1/forecast?latitude=5.1&longitude=2.4', 'forecast//'],
    ['/v1/forecast?latitude=+52,48&longitude=%2B13,2', 'forecast/5/1'],
    ['/v1/forecast', 'forecast/x/x'],
    ['/v1/air-quality?domains=cams_europe&models=other', 'air-quality/cams_europe'],
    ['/data/cmc_gem_gdps/shortwave/chunk_1430.om?apikey=123', 'domain/cmc_gem_gdps'],
    ['/?list-type=2&delimiter=/&prefix=data%2Fcmc_gem_gdps/', 'domain/cmc_gem_gdps'],
  ] as const)('%s is %s', ([url, expected]) => {
    expect(key(url, RULES.openmeteo)).toBe(expected)
  })

  test.for(['/?list-type=2&prefix=data/', '/', '/v2/forecast?models=a', '/v1/forecast/x'])('%s is of none', (url) => {
    expect(key(url, RULES.openmeteo)).toBeUndefined()
  })
})

describe('other rules', () => {
  test('a path below a prefix is named by its first part', () => {
    expect(key('/tiles/ocean/4/5/6.png', RULES.path)).toBe('ocean')
    expect(key('/tiles//oc%65an?x', RULES.path)).toBe('ocean')
    expect(key('/tiles/', RULES.path)).toBeUndefined()
    expect(key('/tilesets/ocean', RULES.path)).toBeUndefined()
  })

  test('a rule of one’s own sees the decoded path, and not the query', () => {
    const rule: KeyRule = { system: 'rule', name: 'models', pattern: '^/models/([a-z]+)-\\d+/' }
    expect(key('/models/icon-12/x', rule)).toBe('icon')
    expect(key('/models/ico%6E-12//x', rule)).toBe('icon')
    expect(key('/x?/models/icon-12/', rule)).toBeUndefined()
  })

  test('the first rule that finds a key counts, and is named', () => {
    const found = keyOf('/erddap/griddap/sst.nc', [RULES.geoserver, RULES.erddap, { system: 'path', base: '/erddap' }])
    expect(found).toEqual({ key: 'sst', rule: RULES.erddap })
    expect(key('/erddap/search/index.html', RULES.erddap, { system: 'path', base: '/erddap' })).toBe('search')
  })

  test('flags are for every ERDDAP, in any language and spelling, and for nothing else', () => {
    for (const path of ['setDatasetFlag.txt', 'fr/setDatasetFlag.txt', '/set%44atasetFlag.txt?datasetID=a']) {
      expect(isForEveryNode(`/erddap/${path}`, [RULES.path, RULES.erddap])).toBe(true)
    }
    for (const path of [
      'setDatasetFlag.txt/',
      'x/setDatasetFlag.txt',
      'files/setDatasetFlag.txt',
      '?setDatasetFlag.txt',
    ]) {
      expect(isForEveryNode(`/erddap/${path}`, [RULES.erddap])).toBe(false)
    }
    expect(isForEveryNode('/erddap/setDatasetFlag.txt', [RULES.geoserver])).toBe(false)
  })

  test('without rules nothing has a key', () => {
    expect(key('/erddap/griddap/sst.nc')).toBeUndefined()
  })
})
