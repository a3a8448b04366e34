import { expect, test } from 'vitest'
import type { GeoserverConfig } from '../../src/targets/geoserver/config.ts'
import { GeoserverNode } from '../helpers/geoserver-node.ts'

/** What GeoServer does of its own accord to what it is sent over REST: none of it may be left on a copy, nor need a reload. */

async function pair(settings: Partial<GeoserverConfig> = {}) {
  const source = new GeoserverNode().seed('one')
  await source.start()
  const replica = new GeoserverNode(settings).seed('two').shareKeystore(source)
  await replica.start()
  expect(await replica.turn(await source.release(1))).toMatchObject({ state: 'in-step' })
  // Whatever needs a reload stays undone.
  replica.traffic = 'open'
  return { source, replica }
}

type Pair = Awaited<ReturnType<typeof pair>>

async function follow({ source, replica }: Pair, number = 2): Promise<void> {
  expect(await replica.turn(await source.release(number))).toMatchObject({ state: 'in-step', warnings: [] })
  expect(await replica.digests()).toEqual(await source.digests())
}

const STYLE = '<style>\n  <name>plain</name>\n  <filename>plain.sld</filename>\n</style>'

test('a style whose file says neither format nor version', async () => {
  const both = await pair()
  both.source.write('styles/plain.xml', STYLE)
  both.source.write('styles/plain.sld', '<StyledLayerDescriptor version="1.0.0"/>')
  await both.source.rest('POST', '/rest/reload')
  expect(both.source.read('styles/plain.xml')).not.toContain('languageVersion')
  await follow(both)
  expect(both.replica.read('styles/plain.xml')).toContain('languageVersion')
})

test('a style that goes back to the version that is meant when none is told', async () => {
  const both = await pair()
  const version = (text: string) => `<languageVersion>\n    <version>${text}</version>\n  </languageVersion>`
  both.source.write(
    'styles/plain.xml',
    STYLE.replace('</style>', `  <format>sld</format>\n  ${version('1.1.0')}\n</style>`),
  )
  both.source.write('styles/plain.sld', '<StyledLayerDescriptor version="1.1.0"/>')
  await both.source.rest('POST', '/rest/reload')
  await follow(both)
  both.source.write('styles/plain.xml', STYLE)
  await both.source.rest('POST', '/rest/reload')
  await follow(both, 3)
  expect(both.replica.read('styles/plain.xml')).toContain('<version>1.0.0</version>')
})

test('a feature type and a coverage that are disabled', async () => {
  const both = await pair()
  const { source, replica } = both
  await source.rest(
    'POST',
    '/rest/workspaces/w1/datastores/store/featuretypes',
    '<featureType><name>off</name></featureType>',
  )
  await source.rest(
    'PUT',
    '/rest/workspaces/w1/datastores/store/featuretypes/off',
    '<featureType><enabled>false</enabled></featureType>',
  )
  await source.rest(
    'POST',
    '/rest/workspaces/w1/coveragestores',
    '<coverageStore><name>c</name><type>GeoTIFF</type><enabled>true</enabled></coverageStore>',
  )
  await source.rest('POST', '/rest/workspaces/w1/coveragestores/c/coverages', '<coverage><name>dark</name></coverage>')
  await source.rest(
    'PUT',
    '/rest/workspaces/w1/coveragestores/c/coverages/dark',
    '<coverage><enabled>false</enabled></coverage>',
  )
  await follow(both)
  for (const file of ['store/off/featuretype.xml', 'c/dark/coverage.xml'])
    expect(replica.read(`workspaces/w1/${file}`)).toContain('<enabled>false</enabled>')
})

test('a layer and a group without tile layers', async () => {
  const both = await pair()
  const { source, replica } = both
  await source.rest(
    'POST',
    '/rest/workspaces/w1/datastores/store/featuretypes',
    '<featureType><name>bare</name></featureType>',
  )
  await source.rest('DELETE', '/gwc/rest/layers/w1:bare.xml')
  await follow(both)
  await expect(replica.rest('GET', '/gwc/rest/layers/w1:bare.xml')).rejects.toThrow('404')
  expect(await replica.target.catalog.kept()).toEqual([])
})

test('the settings of the node itself, when global settings, logging or a store are changed', async () => {
  const overlay = [{ path: 'workspaces/*/*/datastore.xml', element: 'connectionParameters/entry[@key=host]' }]
  const both = await pair({ overlay })
  const { source, replica } = both
  const own = (file: string, element: string) => new RegExp(`<${element}.*</[^>]*>`).exec(replica.read(file))?.[0]
  const mine = () => [
    own('global.xml', 'proxyBaseUrl'),
    own('global.xml', 'tileThreads'),
    own('logging.xml', 'location'),
    own('workspaces/w1/store/datastore.xml', 'entry key="host"'),
  ]
  const file = 'workspaces/w1/store/datastore.xml'
  replica.write('logging.xml', replica.read('logging.xml').replace('logs/', 'own/'))
  replica.write(file, replica.read(file).replace('db.invalid', 'own.invalid'))
  await replica.rest('POST', '/rest/reload')
  const before = mine()
  expect(before).toMatchObject(
    [/./, /./, '<location>own/geoserver.log</location>', '<entry key="host">own.invalid</entry>'].map((one) =>
      typeof one === 'string' ? one : expect.stringMatching(one),
    ),
  )
  await source.rest('PUT', '/rest/settings', '<global><settings><numDecimals>3</numDecimals></settings></global>')
  await source.rest('PUT', '/rest/logging', '<logging><level>VERBOSE_LOGGING</level></logging>')
  await source.rest(
    'PUT',
    '/rest/workspaces/w1/datastores/store',
    '<dataStore><description>Other</description></dataStore>',
  )
  await source.rest(
    'PUT',
    '/rest/workspaces/w1/datastores/store',
    '<dataStore><connectionParameters><entry key="host">db.invalid</entry><entry key="port">5433</entry></connectionParameters></dataStore>',
  )
  expect(await replica.turn(await source.release(2))).toMatchObject({ state: 'in-step', warnings: [] })
  expect(mine()).toEqual(before)
  expect(replica.read('global.xml')).toContain('<numDecimals>3')
  expect(replica.read('logging.xml')).toContain('VERBOSE')
  expect(replica.read(file)).toContain('5433')
})
