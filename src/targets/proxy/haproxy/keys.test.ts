import { Agent } from 'node:http'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import { keyOf } from '../../../core/routing/key.ts'
import type { KeyRule } from '../../../core/routing/model.ts'
import { startPlain } from '../../../../test/helpers/haproxy.ts'
import { needs } from '../../../../test/helpers/needs.ts'
import { ask } from '../../../../test/helpers/proxy-client.ts'
import { URL_LISTS } from '../../../../test/helpers/routing-urls.ts'

const test = await needs({ tools: ['haproxy'] })
const RUNS = process.env['FLOTILLA_SOAK'] === undefined ? 600 : 30_000

const RULES: readonly KeyRule[] = [
  { system: 'rule', name: 'models', pattern: '^/models/([a-z]+)-\\d{1,4}/.*$' },
  { system: 'erddap', base: '/erddap' },
  { system: 'geoserver', base: '/geo.server/' },
  { system: 'path', base: '/tiles' },
  { system: 'openmeteo', base: '' },
]

/** What URLs are made of, and what bends them. */
const BENT = ['/', '//', '.', '..', '/./', '/../', '%2e', '%2F', '%2f..', '%41', '%0A', '%0d', '%25', '%3A', '+', '%2B']
const MARKS = ['?', '&', '=', ',', '(', ')', ':', '%2C', '%28', '_', '__', '-', '~', "'", '"', ';', '%', '%zz', '%00']
const WORDS = [
  'sst',
  'my.id',
  'a',
  '12',
  '-52.5',
  '9',
  'x'.repeat(199),
  'fr/',
  'zh-CN/',
  'topp',
  'topp:states',
  '%C3%A9',
]
const ERDDAP = [
  'griddap/',
  'tabledap/',
  'info/',
  'files/',
  'metadata/iso19115/xml/',
  '_iso19115.xml',
  'rss/',
  '.rss',
  '.nc',
]
const ERDDAP_PAGES = ['index.html', 'documentation.html', 'allDatasets', 'datasetID', 'DATASETid', 'setDatasetFlag.txt']
const GEOSERVER = [
  'wms',
  'ows',
  'rest/',
  'web',
  'gwc/service/wmts/rest/',
  'gwc/service/tms/1.0.0/',
  'ogc/x/v1/collections/',
]
const GEOSERVER_NAMES = ['LAYERS', 'layer', 'typeName', 'coverageId', 'coverage', 'query_layers', 'identifier']
const OPENMETEO = [
  'v1/',
  'forecast',
  'data/',
  'models',
  'domains',
  'latitude',
  'longitude',
  'prefix',
  'best_match',
  'auto',
]
const PARTS = [BENT, MARKS, WORDS, ERDDAP, ERDDAP_PAGES, GEOSERVER, GEOSERVER_NAMES, OPENMETEO]

const part = fc.oneof(...PARTS.map((parts) => fc.constantFrom(...parts)))
const START = ['/', '/erddap/', '/erddap/griddap/sst', '/tiles/', '/models/icon-12/', '/v1/forecast', '/data/']
const SERVICE = [
  '/geo.server/',
  '/geo.server/wms',
  '/geo.server/topp/wms',
  '/geo.server/topp/roads/ows',
  '/geo.server/wms/x/wms',
]
const name = fc.constantFrom(...GEOSERVER_NAMES, ...OPENMETEO.slice(3), 'DATASETid', '')
const value = fc.array(fc.oneof(fc.constantFrom('topp:states', 'a__b', '52', ...MARKS), part), { maxLength: 3 })
const pair = fc.tuple(name, fc.constantFrom('=', '=', ''), value).map(([key, is, parts]) => key + is + parts.join(''))
const query = fc.oneof(
  fc.array(part, { maxLength: 4 }).map((parts) => parts.join('')),
  fc.array(pair, { maxLength: 3 }).map((pairs) => pairs.join('&')),
)
const url = fc
  .tuple(fc.constantFrom(...START, ...SERVICE), fc.array(part, { maxLength: 4 }), fc.option(query))
  .map(([start, path, query]) => `${start}${path.join('')}${query === null ? '' : `?${query}`}`)

test('whatever is asked for, HAProxy finds the key that keyOf finds', { timeout: 300_000 }, async () => {
  const port = await startPlain(RULES)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const found = async (asked: string): Promise<string | undefined> => {
    const { status, text } = await ask(port, asked.replaceAll('"', '%22'), { agent })
    return status === 200 ? text : undefined
  }
  const property = fc.asyncProperty(url, async (asked) => {
    expect(await found(asked)).toBe(keyOf(asked, RULES)?.key)
  })
  await fc.assert(property, { numRuns: RUNS })
  agent.destroy()
})

test('every URL of the lists has its key', async () => {
  for (const { rules, urls } of URL_LISTS) {
    const port = await startPlain(rules)
    for (const asked of urls) {
      const { status, text } = await ask(
        port,
        asked.replaceAll(/[ "<>^`{|}]/g, (char) => encodeURIComponent(char)),
      )
      expect([asked, status === 200 ? text : undefined]).toEqual([asked, keyOf(asked, rules)?.key])
    }
  }
})
