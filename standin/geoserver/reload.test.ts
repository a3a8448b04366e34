import { expect, test } from 'vitest'
import { Node, sld, until } from './test-kit.ts'

test('what is edited in catalog files counts from a reload on, and a REST save before it overwrites the edit', async () => {
  const node = await Node.start()
  await node.furnish()
  const file = 'workspaces/w/d/l/featuretype.xml'
  const edited = (title: string): string => node.read(file).replace(/<title>.*<\/title>/, `<title>${title}</title>`)
  const title = async (): Promise<string> => {
    const shown = JSON.parse(await node.must('GET', '/rest/workspaces/w/datastores/d/featuretypes/l.json'))
    return (shown as { featureType: { title: string } }).featureType.title
  }
  node.write(file, edited('lost'))
  expect(await title()).toBe('l')
  await node.must('PUT', '/rest/workspaces/w/datastores/d/featuretypes/l', { featureType: { abstract: 'a' } })
  expect(node.read(file)).toContain('<title>l</title>')
  node.write(file, edited('kept'))
  await node.must('POST', '/rest/reload')
  expect(await title()).toBe('kept')
})

test('a reload changes the update sequence by 18 and no other file', async () => {
  const node = await Node.start()
  await node.furnish()
  const before = node.geoserver.updateSequence
  const files = ['workspaces/w/workspace.xml', 'workspaces/w/d/l/layer.xml', 'workspaces/w/styles/s.xml']
  const texts = files.map((file) => node.read(file))
  await node.must('PUT', '/rest/reload')
  expect(node.geoserver.updateSequence).toBe(before + 18)
  expect(node.read('global.xml')).toContain(`<updateSequence>${before + 18}</updateSequence>`)
  expect(files.map((file) => node.read(file))).toEqual(texts)
})

test('while a reload runs, configuration waits, maps fail, features are not found, and files and about answer', async () => {
  const node = await Node.start({ reloadMs: 400 })
  await node.furnish()
  const reload = node.ask('POST', '/rest/reload')
  await until('the reload runs', () => node.geoserver.reloading)
  const ended: string[] = []
  const mark = async (name: string, what: Promise<{ status: number }>): Promise<void> => {
    const { status } = await what
    ended.push(`${name} ${status} ${node.geoserver.reloading ? 'during' : 'after'}`)
  }
  await Promise.all([
    mark('reload', reload),
    mark('get', node.ask('GET', '/rest/layers/w:l.json')),
    mark('put', node.ask('PUT', '/rest/layers/w:l', { layer: { queryable: false } })),
    mark('resource', node.ask('GET', '/rest/resource/global.xml')),
    mark('version', node.ask('GET', '/rest/about/version.json')),
    mark('map', fetch(`${node.geoserver.url}/wms?request=GetMap&layers=w:l`)),
    mark('features', fetch(`${node.geoserver.url}/wfs?request=GetFeature&typeNames=w:l`)),
  ])
  const wanted = ['reload 200 after', 'get 200 after', 'put 200 after', 'features 404 after']
  expect(ended.toSorted()).toEqual(
    [...wanted, 'resource 200 during', 'version 200 during', 'map 500 during'].toSorted(),
  )
  expect(await node.map()).toMatch(/^200/)
})

test('half a workspace, empty files and files that refer to other ids are left out at a reload, and told in the log', async () => {
  const node = await Node.start()
  await node.furnish()
  node.write('workspaces/half/workspace.xml', '<workspace><id>x</id><name>half</name></workspace>')
  node.write('workspaces/w/styles/s.xml', '')
  node.write(
    'workspaces/w/d/l/layer.xml',
    node.read('workspaces/w/d/l/layer.xml').replace(/FeatureTypeInfoImpl[^<]*/, 'other'),
  )
  await node.must('POST', '/rest/reload')
  expect((await node.ask('GET', '/rest/workspaces/half.json')).status).toBe(404)
  expect((await node.ask('GET', '/rest/workspaces/w/styles/s.json')).status).toBe(404)
  expect((await node.ask('GET', '/rest/layers/w:l.json')).status).toBe(404)
  expect((await node.ask('GET', '/rest/workspaces/w/datastores/d/featuretypes/l.json')).status).toBe(200)
  expect(node.geoserver.logged.join('\n')).toContain('workspaces/w/d/l/layer.xml: its resource is not found')
})

test('a node that is killed while it reloads starts again from its files', async () => {
  const node = await Node.start({ reloadMs: 60_000 })
  await node.furnish()
  const reload = node.ask('POST', '/rest/reload').catch(() => 'cut')
  await until('the reload runs', () => node.geoserver.reloading)
  await node.geoserver.kill()
  expect(await reload).toBe('cut')
  const again = await Node.start({ dataDirectory: node.directory })
  expect(await again.must('GET', '/rest/workspaces/w/styles/s.sld')).toBe(sld('first'))
})
