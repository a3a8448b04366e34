import { mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { idsWith } from '../../../../test/helpers/geoserver-directory.ts'
import { GeoserverNode } from '../../../../test/helpers/geoserver-node.ts'
import { systemClock } from '../../../lib/system-clock.ts'
import { Overlay } from '../definition/overlay.ts'
import { DataDirectory } from './data-directory.ts'
import { ownBytes } from './place.ts'

function seeded(): { readonly node: GeoserverNode; readonly directory: DataDirectory } {
  const node = new GeoserverNode().seed('one')
  return { node, directory: open(node) }
}

function open(node: GeoserverNode): DataDirectory {
  return new DataDirectory({ path: node.directory, overlay: new Overlay(), clock: systemClock })
}

async function keys(directory: DataDirectory): Promise<readonly string[]> {
  return [...(await directory.scan()).catalog.entries.keys()]
}

const LAYER = 'workspaces/w1/store/cities/layer.xml'

test('nothing is read twice: the same object is answered while nothing changed', async () => {
  const { node, directory } = seeded()
  await delay(30)
  await directory.scan()
  const first = await directory.scan()
  expect(await directory.scan()).toBe(first)
  node.write('styles/new.svg', '<svg/>')
  expect(await directory.scan()).not.toBe(first)
})

test('an object that is called otherwise changes all that refer to it, as a look from scratch finds it', async () => {
  const { node, directory } = seeded()
  await directory.scan()
  for (const file of ['workspace.xml', 'namespace.xml']) {
    const path = `workspaces/w1/${file}`
    node.write(path, node.read(path).replace(/<(name|prefix)>w1</, '<$1>renamed<'))
    const [grown, fresh] = [await directory.scan(), await open(node).scan()]
    expect(grown.files).toEqual(fresh.files)
    expect(grown.catalog.entries).toEqual(fresh.catalog.entries)
  }
  expect(await keys(directory)).toContain('layer/renamed:cities')
})

test('any sequence of edits leaves what a look from scratch finds', async () => {
  const { node, directory } = seeded()
  const other = new GeoserverNode().seed('two')
  const paths = [
    LAYER,
    'workspaces/w1/store/cities/featuretype.xml',
    'workspaces/w2/styles/burg.xml',
    'layergroups/all.xml',
  ]
  const aside = new Map(paths.map((path) => [path, node.read(path)]))
  const edits: (() => void)[] = [
    () => node.remove(LAYER),
    () => node.write(LAYER, aside.get(LAYER) ?? ''),
    () => node.remove('workspaces/w2'),
    () => node.remove('layergroups/all.xml'),
    () => node.write('layergroups/all.xml', aside.get('layergroups/all.xml') ?? ''),
    () => renameSync(join(node.directory, 'workspaces/w1'), join(node.directory, 'workspaces/w9')),
    () => node.write('workspaces/w2/workspace.xml', other.read('workspaces/w2/workspace.xml')),
    () => node.write('workspaces/w2/namespace.xml', other.read('workspaces/w2/namespace.xml')),
    () => node.write('workspaces/w2/styles/burg.xml', other.read('workspaces/w2/styles/burg.xml')),
  ]
  for (const [index, edit] of edits.entries()) {
    edit()
    const [grown, fresh] = [await directory.scan(), await open(node).scan()]
    expect(grown.catalog.entries, `edit ${index}`).toEqual(fresh.catalog.entries)
  }
})

test('what is temporary, local to a node, secret or data is not seen', async () => {
  const { node, directory } = seeded()
  const before = await keys(directory)
  for (const path of ['data/x/a.shp', 'logs/geoserver.log', 'security/geoserver.jceks', 'gwc/topp_states/1.png'])
    node.write(path, 'x')
  node.write(`${LAYER}.1234.tmp`, '<layer')
  node.write('styles/burg.sld.bak', 'x')
  expect(await keys(directory)).toEqual(before)
})

test('links are not followed', async () => {
  const { node, directory } = seeded()
  const outside = mkdtempSync(join(tmpdir(), 'outside-'))
  onTestFinished(() => rmSync(outside, { recursive: true }))
  writeFileSync(join(outside, 'a.pal'), 'secret')
  symlinkSync(outside, join(node.directory, 'palettes'))
  symlinkSync(join(outside, 'a.pal'), join(node.directory, 'styles/a.svg'))
  const { catalog } = await directory.scan()
  expect([...catalog.entries.keys()].filter((key) => /palettes|a\.svg/.test(key))).toEqual([])
  expect(catalog.problems.map(({ file }) => file).toSorted()).toEqual(['palettes', 'styles/a.svg'])
})

test('a file that is larger than any of a catalog is not read, and one that grew so large is not deleted', async () => {
  const { node, directory } = seeded()
  node.write('styles/new.tif', '')
  truncateSync(join(node.directory, 'styles/new.tif'), 64 * 1024 * 1024 + 1)
  const grown = 'workspaces/w1/styles/icon.svg'
  const before = await keys(directory)
  truncateSync(join(node.directory, grown), 1.5 * 1024 ** 3)
  const { catalog } = await directory.scan()
  expect(catalog.problems.filter(({ code }) => code === 'FILE_TOO_LARGE').map(({ file }) => file)).toEqual([
    'styles/new.tif',
    grown,
  ])
  expect([...catalog.entries.keys()]).toEqual(before)
  expect(before).toContain(`file/${grown}`)
  expect(before).not.toContain('file/styles/new.tif')
})

test('bytes that changed since the look are not given out', async () => {
  const { node, directory } = seeded()
  const tree = await directory.scan()
  const { path } = tree.catalog.entries.get('layer/w1:cities') ?? { path: '' }
  expect(Buffer.from(await tree.read(path)).toString()).toContain('<name>w1:cities</name>')
  node.write(LAYER, node.read(LAYER).replace('VECTOR', 'RASTER'))
  await expect(tree.read(path)).rejects.toMatchObject({ code: 'SOURCE_VANISHED' })
})

test('a change is heard once a look has been taken, also in a folder that is new', async () => {
  const { node, directory } = seeded()
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  await directory.scan()
  const changes = directory.changes(stop.signal)
  const heard = async (edit: () => void): Promise<boolean> => {
    const next = changes.next()
    edit()
    return (await next).done !== true
  }
  expect(await heard(() => node.write(LAYER, `${node.read(LAYER)} `))).toBe(true)
  expect(await heard(() => node.write('workspaces/w3/workspace.xml', '<workspace/>'))).toBe(true)
  await directory.scan()
  expect(await heard(() => node.write('workspaces/w3/namespace.xml', '<namespace/>'))).toBe(true)
})

test('what is placed keeps the ids and the settings of its node', async () => {
  const { node, directory } = seeded()
  const release = await new GeoserverNode().seed('two').release(1)
  const local = (await directory.scan()).catalog.entries
  const desired = (await open(node).scan()).catalog.entries
  const key = 'global/global'
  await directory.placeAll([{ desired: desired.get(key), local: local.get(key) }], release.tree, {})
  expect(node.read('global.xml')).toContain(idsWith('one')('Settings'))
  expect(node.read('global.xml')).toContain('<tileThreads>7</tileThreads>')
  await expect(
    directory.placeAll([{ desired: { ...entry(desired, key), path: '../out.xml' }, local: undefined }], anything, {}),
  ).rejects.toThrow(/unsafe path/)
})

function entry<T>(entries: ReadonlyMap<string, T>, key: string): T {
  const found = entries.get(key)
  if (found === undefined) throw new Error(`no ${key}`)
  return found
}

const anything = { files: [], read: async () => await Promise.resolve(Buffer.from('<x/>')) }

test('what the node has of its own is not read through a link', async () => {
  const { node } = seeded()
  node.write('outside', 'secret')
  symlinkSync(join(node.directory, 'outside'), join(node.directory, 'styles/own.xml'))
  node.write('styles/plain.xml', 'own')
  expect(await ownBytes(node.directory, 'styles/own.xml')).toBeUndefined()
  expect(await ownBytes(node.directory, 'styles/plain.xml')).toEqual(Buffer.from('own'))
})
