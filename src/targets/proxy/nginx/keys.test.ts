import { Agent } from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { keyOf } from '../../../core/routing/key.ts'
import type { KeyRule } from '../../../core/routing/model.ts'
import { requestTarget } from '../../../core/routing/target.ts'
import { openNginx, type TestNginx } from '../../../../test/helpers/nginx.ts'
import { needs } from '../../../../test/helpers/needs.ts'
import { startBackend, type TestBackend } from '../../../../test/helpers/backends.ts'
import { ask } from '../../../../test/helpers/proxy-client.ts'
import { URL_LISTS } from '../../../../test/helpers/routing-urls.ts'

const test = await needs({ root: true, tools: ['nginx', 'nginx-lua'] })

const RULES: readonly KeyRule[] = [
  { system: 'rule', name: 'runs', pattern: '^/erddap/runs/([a-z]{1,9})-\\d+/(?:x|y)?.*$' },
  { system: 'rule', name: 'end', pattern: '^/end/(\\w+)\\.nc$' },
  { system: 'erddap', base: '/erddap' },
  { system: 'geoserver', base: '/geo.server' },
  { system: 'path', base: '/tiles' },
  { system: 'openmeteo', base: '' },
]

const words = [
  'a b',
  '',
  'a\nb',
  'up.nc\n',
  'x\r',
  'x'.repeat(201),
  ...'erddap griddap tabledap info wms files rss metadata iso19115 fgdc xml fr zh-CN index.html documentation.html'.split(
    ' ',
  ),
  ...'allDatasets.csv setDatasetFlag.txt sst.nc sst my.id.csv a_fgdc.xml x_iso19115.xml sst.rss .csv a-b_c'.split(' '),
  ...'geo.server geoXserver gwc service wmts rest tms 1.0.0 topp:states topp states ows wfs ogc features'.split(' '),
  ...'collections v1 web a:b:c x@EPSG:4326@png forecast air-quality data icon tiles runs icon-12 end up.nc'.split(' '),
  ...'é .. . ~ a+b " \\ $host # ? & ; { } \' %'.split(' '),
]
const names =
  'datasetID DATASETID layers LAYERS layer typeName typenames coverageId coverage identifier query_layers models domains ' +
  'latitude longitude prefix x xlayers layersx'
const values = [
  'a b',
  ' 7',
  '',
  'data/a b',
  ...'sst my.id allDatasets topp:states states topp__states a__b__c ws__ __x _a:b a__b:c (topp:states)(topp:roads)'.split(
    ' ',
  ),
  ...'topp:states,topp:roads a:b:c :x x: icon_seamless auto Best_Match icon,gfs 52.52 -5.1 5 +13,2 -122 x .5'.split(
    ' ',
  ),
  ...'data/cmc data/ é % ='.split(' '),
]

/** Which characters of a text are escaped, by a list of booleans: those that must be, and any others. */
const spelled = (text: string, flips: readonly boolean[], keep: RegExp): string =>
  [...Buffer.from(text)]
    .map((byte, index) => {
      const char = String.fromCharCode(byte)
      const isEscaped = !keep.test(char) || flips[index % flips.length] === true
      return isEscaped ? `%${byte.toString(16).padStart(2, '0')[index % 2 ? 'toUpperCase' : 'toLowerCase']()}` : char
    })
    .join('')

const flips = fc.oneof(
  { weight: 3, arbitrary: fc.constant([false]) },
  fc.array(fc.boolean(), { minLength: 1, maxLength: 5 }),
)
const segment = fc.tuple(fc.constantFrom(...words), flips).map(([word, at]) => spelled(word, at, /[\w.~:@+-]/))
const pair = fc
  .tuple(
    fc.constantFrom('', ...names.split(' ')),
    fc.constantFrom('=', '=', '=', ''),
    fc.constantFrom(...values),
    flips,
  )
  .map(([name, sign, value, at]) => `${name}${sign}${sign === '' ? '' : spelled(value, at, /[\w.~:@+,()/-]/)}`)
const path = fc.array(segment, { minLength: 1, maxLength: 6 }).map((segments) => `/${segments.join('/')}`)
const url = fc
  .tuple(
    path,
    fc.array(pair, { maxLength: 4 }),
    fc.constantFrom('', '/', '/erddap', '/geo.server', '/geo.server/gwc/service'),
  )
  .map(([path, pairs, below]) => `${below}${path}${pairs.length > 0 ? `?${pairs.join('&')}` : ''}`)

describe.each([
  ['with Lua', true],
  ['without Lua', false],
])('the key that nginx finds, %s', (_, lua) => {
  let nginx: TestNginx
  let backend: TestBackend
  const agent = new Agent({ keepAlive: true })

  beforeAll(async () => {
    nginx = await openNginx({ lua, keyHeader: 'X-Route-Key' })
    backend = await startBackend('erd1', 1)
  }, 60_000)

  afterAll(async () => {
    agent.destroy()
    await Promise.all([nginx.close(), backend.stop()])
  })

  const keyAt = async (asked: string): Promise<string | undefined> => {
    const { status, headers } = await ask(nginx.port, asked, { agent })
    if (status === 400) return undefined
    expect(status).toBe(200)
    return headers['x-route-key'] ?? ''
  }

  const use = async (rules: readonly KeyRule[]): Promise<void> => {
    const { node, id, host, port, weight, state, without } = backend
    const backends = [{ node, id, host, port, weight, state, without }]
    await nginx.driver.apply({ asOf: 1, revision: 1, rules, backends, placement: new Map(), everyNode: undefined }, {})
  }

  test('is the one that the rules say, for every form of URL that applications have', async () => {
    for (const { rules, urls } of URL_LISTS) {
      await use(rules)
      for (const each of urls) {
        const asked = each.replaceAll(/[ "<>^`{|}]/g, (char) => encodeURIComponent(char))
        expect([each, await keyAt(asked)]).toEqual([each, keyOf(asked, rules)?.key ?? ''])
      }
    }
  })

  test('is the one that the rules say, for whatever else may be asked for', async () => {
    await use(RULES)
    const found = new Set<string>()
    await fc.assert(
      fc.asyncProperty(url, async (asked) => {
        if (requestTarget(asked) === undefined) return
        const expected = keyOf(asked, RULES)?.key ?? ''
        const key = await keyAt(asked)
        if (key !== undefined) expect([asked, key]).toEqual([asked, expected])
        if (key !== '') found.add(key ?? '')
      }),
      { numRuns: process.env['FLOTILLA_SOAK'] === '1' ? 100_000 : 1500 },
    )
    expect(found.size).toBeGreaterThan(30)
  }, 900_000)
})
