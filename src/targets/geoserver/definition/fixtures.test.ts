import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect } from 'vitest'
import { changedKeys, readDirectory } from '../../../../test/helpers/geoserver-directory.ts'
import { FIXTURES, needs } from '../../../../test/helpers/needs.ts'
import { changeOf } from './change.ts'
import { onDisk } from './on-disk.ts'
import { Overlay } from './overlay.ts'
import { readPortable } from './portable.ts'

const test = await needs({ fixtures: true })
const GEOSERVER = join(FIXTURES, 'geoserver')

function directory(folder: string): Map<string, Uint8Array | string> {
  const root = join(GEOSERVER, folder)
  const entries = readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name)
      return [relative(root, path), readFileSync(path)]
    }),
  )
}

interface Recorded {
  readonly label: string
  readonly request: { readonly method: string; readonly url: string }
  readonly changed: Readonly<Record<string, { readonly op: 'A' | 'M' | 'D'; readonly text?: string }>>
}

describe.each(['minimal', 'live-2.26.2/datadir'])('%s', (folder) => {
  test('has no problems, and comes back from a node with other ids as it was', () => {
    const read = readDirectory(directory(folder))
    expect(read.catalog.problems).toEqual([])
    expect(read.catalog.entries.size).toBeGreaterThan(20)
    const overlay = new Overlay()
    const files = Array.from(read.files.values(), ({ entry, bytes }) =>
      onDisk(entry, bytes, { idOf: () => undefined, overlay }),
    )
    const back = readDirectory(new Map(files.map(({ path, bytes }) => [path, bytes])))
    expect(back.catalog).toEqual(read.catalog)
    for (const { entry, bytes } of read.files.values())
      expect(readPortable(entry.path, bytes, overlay)).toMatchObject({ entry })
  })

  test('a moved counter changes nothing, as after a reload', () => {
    const files = directory(folder)
    const before = readDirectory(files)
    const text = Buffer.from(files.get('global.xml') ?? '').toString()
    files.set('global.xml', text.replace(/<updateSequence>\d+/, '<updateSequence>9999'))
    expect(changedKeys(before, readDirectory(files))).toEqual([])
  })
})

const TYPE = 'featuretype/rec:cities'
const FILES = 'file/workspaces/rec'

/** What each request of the recorded session should change, by its place in it. All others change nothing. */
const EXPECTED: Readonly<Record<number, readonly string[]>> = {
  64: ['namespace/rec', 'workspace/rec'],
  66: ['namespace/rec'],
  67: [`${FILES}/styles/flag.sld`, `${FILES}/styles/icon.svg`, 'style/rec:flag'],
  69: [`${FILES}/styles/extra.svg`],
  70: [`${FILES}/styles/empty.svg`],
  72: [`${FILES}/styles/extra.svg`, `${FILES}/styles/moved.svg`],
  73: [`${FILES}/styles/copied.svg`],
  74: [`${FILES}/styles/copied.svg`],
  77: ['datastore/rec:shp'],
  78: [TYPE, 'layer/rec:cities', 'tile-layer/rec:cities'],
  80: [TYPE],
  81: ['layer/rec:cities', 'tile-layer/rec:cities'],
  82: ['coveragestore/rec:arc'],
  83: ['coverage/rec:rain', 'layer/rec:rain', 'tile-layer/rec:rain'],
  84: ['layergroup/rec:grp', 'tile-layer/rec:grp'],
  85: ['service/rec:wms'],
  86: ['workspace-settings/rec'],
  87: [`${FILES}/shp/cities/content.ftl`],
  89: ['file/security/layers.properties'],
  90: ['file/security/layers.properties'],
  91: ['file/security/role/default/roles.xml'],
  92: ['file/security/usergroup/default/users.xml'],
  93: ['file/security/role/default/roles.xml'],
  94: ['file/security/usergroup/default/users.xml'],
  95: ['file/security/role/default/roles.xml'],
  96: ['file/security/urlchecks.xml'],
  108: ['layergroup/rec:grp', 'tile-layer/rec:grp'],
  109: [TYPE, `${FILES}/shp/cities/content.ftl`, 'layer/rec:cities', 'tile-layer/rec:cities'],
  110: [`${FILES}/styles/flag.sld`, 'style/rec:flag'],
  111: ['coverage/rec:rain', 'coveragestore/rec:arc', 'layer/rec:rain', 'tile-layer/rec:rain'],
  112: [
    'datastore/rec:shp',
    ...['empty', 'icon', 'moved'].map((name) => `${FILES}/styles/${name}.svg`),
    'namespace/rec',
    'service/rec:wms',
    'workspace-settings/rec',
    'workspace/rec',
  ],
}

function applied(files: Map<string, Uint8Array | string>, { changed }: Recorded): void {
  for (const [path, { op, text }] of Object.entries(changed)) {
    if (op === 'D') files.delete(path)
    else if (text !== undefined || op === 'A') files.set(path, text ?? '')
    // Of global.xml only the hash was recorded: what moves in it every time is its counter.
    else bumpSequence(files)
  }
}

function bumpSequence(files: Map<string, Uint8Array | string>): void {
  const text = Buffer.from(files.get('global.xml') ?? '').toString()
  const bumped = text.replace(
    /(<updateSequence>)(\d+)/,
    (_all, tag: string, count: string) => `${tag}${Number(count) + 1}`,
  )
  expect(bumped).not.toBe(text)
  files.set('global.xml', bumped)
}

describe('a recorded session of GeoServer 2.26.2', () => {
  const read = (): readonly Recorded[] =>
    readFileSync(join(GEOSERVER, 'rest-2.26.2/session.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Recorded)

  test('changes exactly the items that each request was about, and a reload none', { timeout: 60_000 }, () => {
    const files = directory('live-2.26.2/datadir')
    files.delete('security/urlchecks.xml')
    let before = readDirectory(files)
    const found: Record<number, readonly string[]> = {}
    for (const [index, entry] of read().entries()) {
      if (Object.keys(entry.changed).length === 0) continue
      applied(files, entry)
      const after = readDirectory(files)
      expect(after.catalog.problems, entry.label).toEqual([])
      const keys = changedKeys(before, after)
      if (keys.length > 0) found[index + 1] = keys
      before = after
    }
    expect(found).toEqual(EXPECTED)
    expect(read()[103]?.request.url).toBe('/rest/reload')
  })

  test('ends with what it began with, but for the list of users, which is in no fixture', () => {
    const files = directory('live-2.26.2/datadir')
    const before = readDirectory(files)
    for (const entry of read()) applied(files, entry)
    expect(changedKeys(before, readDirectory(files))).toEqual(['file/security/usergroup/default/users.xml'])
  })

  test('fields that the server adds by itself are no part of a change', () => {
    const texts = read().flatMap(({ changed }) => changed['workspaces/rec/shp/cities/featuretype.xml']?.text ?? [])
    expect(texts).toHaveLength(2)
    const files = directory('live-2.26.2/datadir')
    const [before, after] = texts.map((text) => {
      for (const entry of read().slice(0, 78)) applied(files, entry)
      files.set('workspaces/rec/shp/cities/featuretype.xml', text)
      return readDirectory(files).files.get(TYPE) ?? expect.fail()
    })
    if (before === undefined || after === undefined) expect.fail()
    expect(changeOf(before, after)).toMatchObject({
      effect: 'soft',
      details: ['title: "tasmania_cities" → "Cities of Tasmania"'],
    })
  })
})
