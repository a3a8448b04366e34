import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Node, sld, SLD, until } from './test-kit.ts'

test('a style body that is edited on disk is drawn soon, a graphic of the same name only after a reset', async () => {
  const node = await Node.start()
  await node.furnish()
  const first = await node.map()
  node.write('workspaces/w/styles/s.sld', sld('second'))
  await until('the new body is drawn', async () => (await node.map()) !== first)
  const second = await node.map()

  node.write('workspaces/w/styles/icon.svg', '<svg>two</svg>')
  await node.ask('PUT', '/rest/resource/workspaces/w/styles/icon.svg', '<svg>two</svg>', 'application/octet-stream')
  node.write('workspaces/w/styles/s.sld', sld('third'))
  await until('the third body is drawn', async () => (await node.map()) !== second)
  node.write('workspaces/w/styles/s.sld', sld('second'))
  await until('the graphic is still the old one', async () => (await node.map()) === second)
  await node.must('POST', '/rest/reset')
  expect(await node.map()).not.toBe(second)
})

test('a graphic of another name that a style edit names is drawn without a reset', async () => {
  const node = await Node.start()
  await node.furnish()
  const first = await node.map()
  node.write('workspaces/w/styles/s.sld', sld('first', 'new.svg'))
  await until('the edit is drawn', async () => (await node.map()) !== first)
  const without = await node.map()
  node.write('workspaces/w/styles/new.svg', '<svg/>')
  await until('the new graphic is drawn', async () => (await node.map()) !== without)
})

test('a style edit on disk leaves stale tiles until masstruncate; a PUT over REST drops them by itself', async () => {
  const node = await Node.start()
  await node.furnish()
  expect((await node.tile()).result).toBe('MISS')
  const old = await node.tile()
  expect(old.result).toBe('HIT')
  const map = await node.map()
  node.write('workspaces/w/styles/s.sld', sld('second'))
  await until('WMS draws the new style', async () => (await node.map()) !== map)
  expect(await node.tile()).toEqual(old)
  const truncate = '<truncateLayer><layerName>w:l</layerName></truncateLayer>'
  await node.must('POST', '/gwc/rest/masstruncate', truncate, 'text/xml')
  const fresh = await node.tile()
  expect([fresh.result, fresh.image === old.image]).toEqual(['MISS', false])

  await node.must('PUT', '/rest/workspaces/w/styles/s?raw=true', sld('third'), SLD)
  const third = await node.tile()
  expect([third.result, third.image === fresh.image]).toEqual(['MISS', false])
  expect(readdirSync(join(node.directory, 'gwc/w_l'))).toHaveLength(1)
})

test('tile layers that are edited or taken away on disk are taken up without a reload', async () => {
  const node = await Node.start()
  await node.furnish()
  const [file = ''] = readdirSync(join(node.directory, 'gwc-layers'))
  const jpeg = async (): Promise<number> =>
    (await fetch(`${node.geoserver.url}/gwc/service/wms?layers=w:l&format=image/jpeg`)).status
  expect(await jpeg()).toBe(200)
  node.write(`gwc-layers/${file}`, node.read(`gwc-layers/${file}`).replace('<string>image/jpeg</string>', ''))
  await until('jpeg is refused', async () => (await jpeg()) === 400)
  rmSync(join(node.directory, 'gwc-layers', file))
  await until('the tile layer is gone', async () => (await node.ask('GET', '/gwc/rest/layers/w:l.xml')).status === 404)
})

test('templates are hot; settings of GeoWebCache wait for its own reload', async () => {
  const node = await Node.start()
  await node.furnish()
  const shown = async (): Promise<string | null> =>
    (await fetch(`${node.geoserver.url}/wfs?request=GetFeature&typeNames=w:l`)).headers.get('x-template')
  node.write('workspaces/w/d/l/content.ftl', 'hello')
  expect(await shown()).toBe('hello')
  rmSync(join(node.directory, 'workspaces/w/d/l/content.ftl'))
  expect(await shown()).toBe('')

  const gridSet = '<gridSets><gridSet><name>EPSG:2163</name></gridSet></gridSets>'
  node.write('gwc/geowebcache.xml', `<gwcConfiguration>${gridSet}</gwcConfiguration>`)
  expect(await node.must('GET', '/gwc/rest/gridsets.json')).not.toContain('EPSG:2163')
  await node.must('POST', '/gwc/rest/reload', 'reload_configuration=1', 'application/x-www-form-urlencoded')
  expect(await node.must('GET', '/gwc/rest/gridsets.json')).toContain('EPSG:2163')
})

test('capabilities list what is enabled and advertised, and features of what is not there are refused', async () => {
  const node = await Node.start()
  await node.furnish()
  const get = async (query: string): Promise<string> => await (await fetch(`${node.geoserver.url}${query}`)).text()
  expect(await get('/wms?service=WMS&request=GetCapabilities')).toContain('<Name>w:l</Name>')
  expect(await get('/w/wfs?service=WFS&request=GetCapabilities')).toContain('<Name>w:l</Name>')
  expect(await get('/wfs?request=GetFeature&typeNames=w:nosuch')).toContain('Feature type w:nosuch unknown')
  await node.must('PUT', '/rest/workspaces/w/datastores/d/featuretypes/l', { featureType: { advertised: false } })
  expect(await get('/wms?service=WMS&request=GetCapabilities')).not.toContain('<Name>w:l</Name>')
})
