import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyRule } from '../../src/core/routing/model.ts'
import { EXAMPLES } from './needs.ts'

/** URLs of one application, as clients send them. Which key each has, `keyOf` says: its own tests hold it to that. */
export interface UrlList {
  readonly name: string
  readonly rules: readonly KeyRule[]
  readonly urls: readonly string[]
}

export const URL_LISTS: readonly UrlList[] = [
  {
    name: 'ERDDAP',
    rules: [{ system: 'erddap', base: '/erddap' }],
    urls: [
      '/erddap/griddap/sst.nc?analysed_sst[(2020-01-01)][(0):(1)]',
      '/erddap/griddap/sst.NC',
      '/erddap/griddap/sst',
      '/erddap/griddap/sst/',
      '/erddap/griddap/sst.png?sst&.bgColor=0xff/ff',
      '/erddap/tabledap/buoys.csv?station,url&url="http://a/b"',
      '/erddap/tabledap/buoys.subset',
      '/erddap/tabledap/my.data-set_2.csv0?time',
      '/erddap/info/buoys/index.html',
      '/erddap/info/buoys',
      '/erddap/wms/sst/request?service=WMS&layers=sst:analysed_sst',
      '/erddap/files/sst/',
      '/erddap/files/my.data-set_2/2020/a.nc',
      '/erddap/files/sst/%FF/%E2%82%AC.nc',
      '/erddap/metadata/iso19115/xml/sst_iso19115.xml',
      '/erddap/metadata/fgdc/xml/buoys_fgdc.xml',
      '/erddap/rss/sst.rss',
      '/erddap/sos/buoys/server?service=SOS',
      '/erddap/wcs/sst/server?service=WCS',
      '/erddap/fr/griddap/sst.html',
      '/erddap/zh-CN/info/sst/index.html',
      '/erddap/subscriptions/add.html?datasetID=sst',
      '/erddap/fr/subscriptions/add.html?email=a%40b&DatasetId=s%73t',
      '/erddap//griddap///sst.nc',
      '/erddap/griddap/s%73t.nc',
      '/erddap/griddap/index.html',
      '/erddap/tabledap/documentation.html',
      '/erddap/info/index.html?page=1',
      '/erddap/files/.csv',
      '/erddap/tabledap/allDatasets.csv0?datasetID%2Cclass',
      '/erddap/info/allDatasets/index.html',
      '/erddap/search/index.html?searchFor=/erddap/griddap/sst.nc',
      '/erddap/index.html',
      '/ERDDAP/griddap/sst.nc',
      '/erddap/GRIDDAP/sst.nc',
      '/erddap2/griddap/sst.nc',
      '/erddap/griddap/s%2573t.nc',
      '/erddap/subscriptions/add.html?datasetID=s%2573t',
      '/favicon.ico',
      ...listed('urls.txt'),
    ],
  },
  {
    name: 'GeoServer',
    rules: [{ system: 'geoserver', base: '/geoserver' }],
    urls: [
      '/geoserver/wms?SERVICE=WMS&REQUEST=GetMap&LAYERS=topp:states',
      '/geoserver/wms?styles=&layers=topp%3Astates',
      '/geoserver/wms?LaYeRs=topp%3astates&x=1',
      '/geoserver/topp/wms?layers=states',
      '/geoserver/topp/wms?layers=other:roads',
      '/geoserver/topp/states/wms?request=GetCapabilities',
      '/geoserver/topp/states/ows?typeName=states',
      '/geoserver/wfs?request=GetFeature&TYPENAMES=(topp:states)(other:roads)',
      '/geoserver/wcs?CoverageId=topp__states',
      '/geoserver/topp/wms?layers=a__b',
      '/geoserver/gwc/service/wmts/rest/topp:states/EPSG:900913/EPSG:900913:4/5/6',
      '/geoserver/topp/gwc/service/wmts/rest/states/EPSG:900913/4/5/6',
      '/geoserver/gwc/service/tms/1.0.0/topp%3Astates@EPSG:900913@png/4/5/6.png',
      '/geoserver/ogc/features/v1/collections/topp:states/items',
      '/geoserver/wms?LAYERS=other%3Aroads%2Ctopp%3Astates',
      '/geoserver/wms?request=GetFeatureInfo&query_layers=topp:states&layers=other:roads',
      '/geoserver//topp///wms?layers=states',
      '/geoserver/topp/wms?request=GetCapabilities',
      '/geoserver/wms?layers=states',
      '/geoserver/wms?request=GetCapabilities',
      '/geoserver/rest/layers.json?layers=topp:states',
      '/geoserver/gwc/rest/layers?layer=topp:states',
      '/geoserver/web/',
      '/geoserver/wms?x=layers=topp:states',
      ...listed('geo-urls.txt'),
    ],
  },
  {
    name: 'Open-Meteo',
    rules: [{ system: 'openmeteo', base: '' }],
    urls: [
      '/v1/forecast?latitude=52.52&longitude=13.41&models=icon_seamless',
      '/v1/forecast?MODELS=icon_seamless%2Cgfs_seamless',
      '/v1/forecast?latitude=52.52&longitude=13.41',
      '/v1/forecast?latitude=52.52&longitude=13.41&models=Best_Match',
      '/v1/forecast?latitude=-5.1&longitude=-122.4',
      '/v1/forecast?latitude=5.1&longitude=2.4',
      '/v1/forecast?latitude=52,48&longitude=%2B13,2',
      '/v1/forecast',
      '/v1/air-quality?domains=cams_europe&models=other',
      '/data/cmc_gem_gdps/shortwave/chunk_1430.om?apikey=123',
      '/?list-type=2&delimiter=/&prefix=data%2Fcmc_gem_gdps/',
      '/?list-type=2&prefix=data/',
      '/',
      ...listed('om-urls.txt'),
    ],
  },
  {
    name: 'a path prefix and a rule of one’s own',
    rules: [
      { system: 'rule', name: 'models', pattern: '^/models/([a-z]+)-\\d{1,4}/' },
      { system: 'path', base: '/tiles' },
    ],
    urls: [
      '/tiles/ocean/4/5/6.png',
      '/tiles//oc%65an',
      '/tiles/land?x=ocean',
      '/models/icon-12/run',
      '/models/ico%6E-1//x?y',
      '/models/icon-12345/run',
      '/tiles/',
      '/tilesets/ocean',
      '/x?/models/icon-12/',
    ],
  },
]

/** Of the proved examples, where they are: the URL of each line, which stands behind the key. */
function listed(file: string): readonly string[] {
  const path = join(EXAMPLES, 'proxy', file)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => line.slice(line.indexOf('|') + 1))
}
