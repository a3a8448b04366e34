import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Files, idsWith, readDirectory, smallDirectory } from '../../../../test/helpers/geoserver-directory.ts'
import { madeId } from './ids.ts'
import { onDisk } from './on-disk.ts'
import { Overlay } from './overlay.ts'

const small = readDirectory(smallDirectory())
const overlay = new Overlay()
const nothing = { idOf: () => undefined, overlay }

/** Every file of the small directory, as a node with these ids places it. */
function placed(idOf: (key: string) => string | undefined): Files {
  return new Map(
    Array.from(small.files.values(), ({ entry, bytes }) => {
      const file = onDisk(entry, bytes, { idOf, overlay })
      return [file.path, file.bytes]
    }),
  )
}

test('what a node places reads as what it was given, whatever ids the node has', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...small.files.keys())), fc.string(), (has, salt) => {
      const own = new Set(has)
      const back = readDirectory(placed((key) => (own.has(key) ? idsWith(salt)(`Local ${key}`) : undefined)))
      expect(back.catalog.problems).toEqual([])
      expect(back.catalog.entries).toEqual(small.catalog.entries)
      for (const [key, { bytes }] of small.files)
        expect(Buffer.from(back.files.get(key)?.bytes ?? [])).toEqual(Buffer.from(bytes))
    }),
    { numRuns: 25 },
  )
})

test('an object that the node has keeps its id wherever it stands', () => {
  const files = placed((key) => (key === 'style/w1:burg' ? 'StyleInfoImpl-1:2:-3' : undefined))
  const text = (path: string) => Buffer.from(files.get(path) ?? []).toString()
  expect(text('workspaces/w1/styles/burg.xml')).toContain('<id>StyleInfoImpl-1:2:-3</id>')
  expect(text('workspaces/w1/store/cities/layer.xml')).toContain('<defaultStyle>\n    <id>StyleInfoImpl-1:2:-3</id>')
})

test('ids that are made are the same everywhere, look like GeoServer’s, and name the file of a tile layer', () => {
  expect(madeId('layer/w1:cities')).toMatch(/^LayerInfoImpl--[\da-f]{8}:[\da-f]{11}:-7[\da-f]{3}$/)
  expect(madeId('service/w1:wms')).toMatch(/^WMSInfoImpl--/)
  expect(madeId('global/global')).toMatch(/^SettingsInfoImpl--/)
  expect(new Set([...small.files.keys()].map(madeId)).size).toBe(small.files.size)
  expect([...placed(() => undefined).keys()]).toContain(
    `gwc-layers/${madeId('layer/w1:cities').replaceAll(':', '_')}.xml`,
  )
})

test('a file keeps what belongs to the node', () => {
  const { entry, bytes } = small.files.get('global/global') ?? expect.fail()
  const own = Buffer.from(
    '<global><settings><id>x</id><numDecimals>2</numDecimals><proxyBaseUrl>http://me</proxyBaseUrl></settings><jai><tileThreads>3</tileThreads></jai></global>',
  )
  const text = Buffer.from(onDisk(entry, bytes, { ...nothing, own }).bytes).toString()
  expect(text).toContain('<proxyBaseUrl>http://me</proxyBaseUrl>')
  expect(text).toContain('<tileThreads>3</tileThreads>')
  expect(text).toContain('<numDecimals>7</numDecimals>')
})

test('a parameter of a connection belongs to the node if it is configured so', () => {
  const path = 'workspaces/w1/store/datastore.xml'
  const hosts = new Overlay([
    { path: 'workspaces/*/*/datastore.xml', element: 'connectionParameters/entry[@key=host]' },
  ])
  const directory = readDirectory(smallDirectory(), hosts)
  const { entry, bytes } = directory.files.get('datastore/w1:store') ?? expect.fail()
  expect(Buffer.from(bytes).toString()).not.toContain('db.invalid')
  const own = Buffer.from(smallDirectory().get(path)?.replace('db.invalid', 'mine.invalid') ?? '')
  const ids = new Map(Array.from(directory.index.ids, ([id, key]) => [key, id]))
  const disk = onDisk(entry, bytes, { idOf: (key) => ids.get(key), overlay: hosts, own })
  expect(Buffer.from(disk.bytes).toString()).toContain('<entry key="host">mine.invalid</entry>')
  const back = readDirectory(new Map<string, string | Uint8Array>([...smallDirectory(), [path, disk.bytes]]), hosts)
  expect(back.catalog.entries.get(entry.key)?.digest).toBe(entry.digest)
})

test('an overlay that cannot be read is refused', () => {
  expect(() => new Overlay([{ path: 'global.xml', element: 'a/[b' }])).toThrow('"a/[b" is no path of elements')
})
