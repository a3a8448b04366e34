import { expect, test } from 'vitest'
import { Node } from './test-kit.ts'

const TYPE = '/rest/workspaces/w/datastores/d/featuretypes/l'
const FILE = 'workspaces/w/d/l/featuretype.xml'

test('PUT keeps what was left out, replaces what is given as a whole, and empties by an empty element', async () => {
  const node = await Node.start()
  await node.furnish()
  await node.must(
    'PUT',
    TYPE,
    '<featureType><abstract>a</abstract><keywords><string>k</string></keywords></featureType>',
  )
  expect(node.read(FILE)).toMatch(
    /<title>l<\/title>\s*<abstract>a<\/abstract>\s*<keywords>\s*<string>k<\/string>\s*<\/keywords>/,
  )
  await node.must('PUT', TYPE, '<featureType><abstract></abstract><keywords/></featureType>')
  expect(node.read(FILE)).toContain('<abstract></abstract>\n  <keywords/>')
  expect(node.read(FILE)).toContain('<title>l</title>')
})

test.each([
  ['2.28.1', '<abstract></abstract>'],
  ['3.0.0', undefined],
])('in %s a field that is nil becomes %s', async (version, left) => {
  const node = await Node.start({ version })
  await node.furnish()
  await node.must('PUT', TYPE, { featureType: { abstract: 'a' } })
  await node.must('PUT', TYPE, { featureType: { abstract: null } })
  expect(/<abstract.*/.exec(node.read(FILE))?.[0]).toBe(left)
})

test('settings that are put replace the old ones as a whole, and the update sequence starts anew', async () => {
  const node = await Node.start()
  await node.must('PUT', '/rest/settings', {
    global: { settings: { charset: 'UTF-8', contact: { contactPerson: 'P' } } },
  })
  await node.must('PUT', '/rest/settings', { global: { settings: { numDecimals: 7 } } })
  expect(node.read('global.xml')).not.toMatch(/charset|contactPerson/)
  expect(node.geoserver.updateSequence).toBe(1)
})

test('renaming a workspace moves its folder, and its layers and tile layers go by the new name', async () => {
  const node = await Node.start()
  await node.furnish()
  await node.must('PUT', '/rest/workspaces/w', { workspace: { name: 'renamed' } })
  expect(node.read('workspaces/renamed/namespace.xml')).toContain('<prefix>renamed</prefix>')
  expect(node.read('workspaces/renamed/d/l/layer.xml')).toContain('<name>l</name>')
  expect((await node.ask('GET', '/rest/layers/renamed:l.json')).status).toBe(200)
  expect((await node.ask('GET', '/rest/workspaces/w.json')).status).toBe(404)
  expect(await node.must('GET', '/gwc/rest/layers.json')).toBe('["renamed:l"]')
  await node.must('POST', '/rest/reload')
  expect((await node.ask('GET', '/rest/layers/renamed:l.json')).status).toBe(200)
})

test('renaming a feature type moves its folder with its layer and templates', async () => {
  const node = await Node.start()
  await node.furnish()
  await node.must('PUT', `${TYPE}/templates/content.ftl`, 'hello', 'text/plain')
  await node.must('PUT', TYPE, { featureType: { name: 'm' } })
  expect(node.read('workspaces/w/d/m/content.ftl')).toBe('hello')
  expect(node.read('workspaces/w/d/m/layer.xml')).toContain('<name>m</name>')
  expect((await node.ask('GET', '/rest/layers/w:l.json')).status).toBe(404)
  expect(await node.must('GET', '/gwc/rest/layers.json')).toBe('["w:m"]')
})

test('a style that is deleted with recurse leaves its layers with the generic one; members leave their groups', async () => {
  const node = await Node.start()
  await node.furnish()
  await node.must('POST', '/rest/styles?name=generic', '<StyledLayerDescriptor/>', 'application/vnd.ogc.sld+xml')
  const published = ['w:l'].map((name) => ({ '@type': 'layer', name }))
  await node.must('POST', '/rest/workspaces/w/layergroups', { layerGroup: { name: 'g', publishables: { published } } })
  await node.must('DELETE', '/rest/workspaces/w/styles/s?recurse=true&purge=true')
  expect(await node.must('GET', '/rest/layers/w:l.json')).toContain('"defaultStyle":{"name":"generic"')
  await node.must('DELETE', '/rest/layers/w:l?recurse=true')
  expect((await node.ask('GET', '/rest/workspaces/w/layergroups/g.json')).status).toBe(404)
  expect(await node.must('GET', '/gwc/rest/layers.json')).toBe('[]')
})

test('cascaded stores and layers, and the default workspace', async () => {
  const node = await Node.start()
  await node.furnish()
  await node.must('POST', '/rest/workspaces', { workspace: { name: 'v' } })
  await node.must('PUT', '/rest/workspaces/default', { workspace: { name: 'v' } })
  expect(node.read('workspaces/default.xml')).toContain('<name>v</name>')
  for (const [store, stores, root, path] of [
    ['wmsStore', 'wmsstores', 'wmsLayer', 'wmslayers'],
    ['wmtsStore', 'wmtsstores', 'wmtsLayer', 'layers'],
  ] as const) {
    await node.must('POST', `/rest/workspaces/v/${stores}`, {
      [store]: { name: 'c', capabilitiesURL: 'http://x.invalid' },
    })
    await node.must('POST', `/rest/workspaces/v/${stores}/c/${path}`, { [root]: { name: root } })
    expect((await node.ask('GET', `/rest/workspaces/v/${stores}/c/${path}/${root}.json`)).status).toBe(200)
    expect(node.read(`workspaces/v/c/${root}/${root.toLowerCase()}.xml`)).toContain(`<${root}>`)
    await node.must('DELETE', `/rest/workspaces/v/${stores}/c?recurse=true`)
  }
  expect(await node.must('GET', '/rest/layers.json')).toContain('"w:l"')
})
