import { expect, test } from 'vitest'
import { Overlay } from './overlay.ts'
import { type PortableFile, readPortable } from './portable.ts'
import { restPayload } from './rest-payload.ts'

const PATH = 'workspaces/w/s/t/featuretype.xml'

function type(...fields: readonly string[]): PortableFile {
  const head = '<name>t</name><namespace><name>w</name></namespace><store class="dataStore"><name>w:s</name></store>'
  return file(PATH, `<featureType>${head}${fields.join('')}</featureType>`)
}

function file(path: string, text: string): PortableFile {
  const read = readPortable(path, Buffer.from(text), new Overlay())
  if ('problem' in read) throw new Error(read.problem.message)
  return read
}

function payload(now: PortableFile, before: PortableFile | undefined, version = '2.26.2') {
  return restPayload(now.entry, now.bytes, before?.bytes, version)
}

test('an object that is not there is sent as it is', () => {
  const now = type('<title>A</title>')
  expect(payload(now, undefined)).toEqual({ body: Buffer.from(now.bytes).toString(), left: [] })
})

test('a field that went away is sent as an empty one, a list too', () => {
  const { body, left } = payload(type(), type('<title>A</title>', '<keywords><string>a</string></keywords>'))
  expect(body).toContain('  <title/>\n  <keywords/>\n</featureType>')
  expect(left).toEqual([])
})

test('from version 3 on it is nil', () => {
  const { body } = payload(type(), type('<title>A</title>'), '3.0.1')
  expect(body).toContain('<featureType xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">')
  expect(body).toContain('<title xsi:nil="true"/>')
})

test('a field with a known default is sent with it', () => {
  const { body } = payload(type(), type('<maxFeatures>10</maxFeatures>', '<advertised>false</advertised>'))
  expect(body).toContain('<maxFeatures>0</maxFeatures>')
  expect(body).toContain('<advertised>true</advertised>')
})

test('a number, flag or structure that REST cannot take away is told', () => {
  const cache = '<cacheConfiguration><enabled>true</enabled><maxEntries>5</maxEntries></cacheConfiguration>'
  const { body, left } = payload(type(), type('<linearizationTolerance>0.5</linearizationTolerance>', cache))
  expect(left).toEqual(['linearizationTolerance', 'cacheConfiguration'])
  expect(body).not.toContain('linearizationTolerance')
})

test('fields of nested settings are emptied there', () => {
  const settings = (inside: string) =>
    file('global.xml', `<global><settings>${inside}<numDecimals>7</numDecimals></settings></global>`)
  const { body } = payload(
    settings('<contact><contactCity>B</contactCity></contact>'),
    settings(
      '<onlineResource>http://x</onlineResource><contact><contactCity>A</contactCity><contactPerson>P</contactPerson></contact>',
    ),
  )
  expect(body).toContain('<contactCity>B</contactCity>\n      <contactPerson/>')
  expect(body).toContain('<onlineResource/>')
})

test('a tile layer is sent whole, and finds its layer by name', () => {
  const tiles = file(
    'gwc-layers/w%3At.xml',
    '<GeoServerTileLayer><id>layer/w:t</id><name>w:t</name></GeoServerTileLayer>',
  )
  expect(payload(tiles, tiles).body).toBe('<GeoServerLayer>\n  <name>w:t</name>\n</GeoServerLayer>\n')
})

test('a file that is no object is not sent', () => {
  const body = file('styles/burg.sld', '<a/>')
  expect(() => payload(body, undefined)).toThrow('styles/burg.sld is no object')
})
