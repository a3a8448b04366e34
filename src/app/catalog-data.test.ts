import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CatalogCluster, TREE } from '../../test/helpers/catalog-cluster.ts'
import { fixedPort } from '../../test/helpers/fixed-port.ts'
import { dataPath } from './catalog-data.ts'

const SOON = { timeout: 40_000, interval: 50 }

test.for([
  ['file:data/states.shp', 'data/states.shp'],
  ['file://data/states.shp', 'data/states.shp'],
  ['file:///srv/gs/data/a b.tif', 'data/a b.tif'],
  ['file:/srv/gs/data/folder/', 'data/folder'],
  ['file:///elsewhere/a.shp', undefined],
  ['file:../a.shp', undefined],
  ['http://x.invalid/a', undefined],
] as const)('%s lies at %s', ([url, path]) => {
  expect(dataPath(url, '/srv/gs')).toBe(path)
})

test('a store waits on a replica until the data that it reads has come over, and is told to wait for it', async () => {
  const cluster = await CatalogCluster.open()
  const a = await cluster.add('a', 'source')
  const b = await cluster.add('b', 'replica', { like: a, dataTree: 'data' })
  const [from, to] = [a, b].map((node) => join(node.geoserver.directory, 'data')) as [string, string]
  for (const folder of [from, to]) mkdirSync(folder, { recursive: true })
  for (const node of [a, b]) {
    const folder = node === a ? from : to
    const listen = `127.0.0.1:${await fixedPort()}`
    node.more = {
      files: { listen, trees: { data: { folder } } },
      ...(node === b && { targets: { data: { kind: 'files', from: ['cluster'], folder, bandwidth: '20k' } } }),
    }
  }
  a.start()
  await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(1)
  b.start()
  await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
  mkdirSync(join(from, 'shapes'))
  for (const end of ['shp', 'dbf', 'shx']) writeFileSync(join(from, `shapes/roads.${end}`), Buffer.alloc(60_000, end))
  const store =
    '<dataStore><name>shapes</name><connectionParameters><entry key="url">file:data/shapes/roads.shp</entry></connectionParameters></dataStore>'
  expect((await a.geoserver.rest('POST', '/rest/workspaces/w1/datastores', store)).status).toBe(201)
  await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(2)
  const stored = (): boolean => b.geoserver.has('workspaces/w1/shapes/datastore.xml')
  await expect
    .poll(async () => JSON.stringify((await cluster.hub.client.nodes()).nodes), SOON)
    .toContain('DATA_MISSING')
  expect(stored()).toBe(false)
  await expect.poll(stored, SOON).toBe(true)
  for (const end of ['shp', 'dbf', 'shx']) expect(existsSync(join(to, `shapes/roads.${end}`))).toBe(true)
  await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
  expect((await cluster.hub.client.why(TREE, 'datastore/w1:shapes')).nodes.map(({ state }) => state)).toEqual([
    'served',
    'served',
  ])
}, 120_000)

test('data that never comes holds up nothing for ever', async () => {
  const cluster = await CatalogCluster.open()
  const a = await cluster.add('a', 'source')
  const b = await cluster.add('b', 'replica', { like: a, dataTree: 'data', dataWaitMs: 1500 })
  const folder = join(b.geoserver.directory, 'data')
  mkdirSync(folder, { recursive: true })
  b.more = { targets: { data: { kind: 'files', from: ['cluster'], folder } } }
  a.start()
  await expect.poll(async () => (await cluster.releases()).length, SOON).toBe(1)
  b.start()
  await expect.poll(async () => await cluster.behind(), SOON).toEqual([])
  const store =
    '<dataStore><name>none</name><connectionParameters><entry key="url">file:data/none.shp</entry></connectionParameters></dataStore>'
  expect((await a.geoserver.rest('POST', '/rest/workspaces/w1/datastores', store)).status).toBe(201)
  await expect.poll(() => b.geoserver.has('workspaces/w1/none/datastore.xml'), SOON).toBe(true)
}, 90_000)
