import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  changedKeys,
  digestsOf,
  idsWith,
  readDirectory,
  smallDirectory,
} from '../../../../test/helpers/geoserver-directory.ts'
import { Overlay } from './overlay.ts'
import { readPortable } from './portable.ts'

const small = readDirectory(smallDirectory())

/** The small directory with one text of one file replaced. */
function edited(path: string, from: string | RegExp, to: string): ReturnType<typeof readDirectory> {
  const files = smallDirectory()
  const was = files.get(path) ?? ''
  const is = was.replace(from, to)
  expect(is).not.toBe(was)
  return readDirectory(files.set(path, is))
}

function bytesOf(key: string): string {
  return Buffer.from(small.files.get(key)?.bytes ?? []).toString()
}

describe('portable form', () => {
  test('a small directory has no problems, and one entry for every file', () => {
    expect(small.catalog.problems).toEqual([])
    expect(small.catalog.entries.size).toBe(smallDirectory().size)
  })

  test('a layer names its resource and a style of its workspace, as REST takes them', () => {
    expect(bytesOf('layer/w1:cities')).toBe(
      [
        '<layer>',
        '  <name>cities</name>',
        '  <type>VECTOR</type>',
        '  <defaultStyle>',
        '    <name>burg</name>',
        '    <workspace>w1</workspace>',
        '  </defaultStyle>',
        '  <resource class="featureType">',
        '    <name>w1:cities</name>',
        '  </resource>',
        '</layer>',
        '',
      ].join('\n'),
    )
  })

  test('a global style is named without a workspace', () => {
    expect(bytesOf('layer/w1:roads')).toContain('<defaultStyle>\n    <name>burg</name>\n  </defaultStyle>')
  })

  test('a group names layers and groups, and keeps the places of default styles', () => {
    const text = bytesOf('layergroup/all')
    expect(text).toContain('<published type="layerGroup">\n      <name>w1:inner</name>')
    expect(text).toContain('<published type="layer">\n      <name>w2:cities</name>')
    expect(text).toContain('<styles>\n    <style/>\n    <style/>\n  </styles>')
    expect(small.catalog.entries.get('layergroup/all')?.needs).toEqual(['layergroup/w1:inner', 'layer/w2:cities'])
  })

  test('a tile layer is known by its name, and lies where the name says', () => {
    const entry = small.catalog.entries.get('tile-layer/w1:cities')
    expect(entry?.path).toBe('gwc-layers/w1%3Acities.xml')
    expect(entry?.needs).toEqual(['layer/w1:cities'])
    expect(small.catalog.entries.get('tile-layer/all')?.needs).toEqual(['layergroup/all'])
  })

  test('a store says which data it reads, and what of it is encrypted', () => {
    const entry = small.catalog.entries.get('datastore/w1:store')
    expect(entry).toMatchObject({ needs: ['workspace/w1'], data: ['file:data/w1'] })
    expect(entry?.encrypted).toHaveLength(1)
  })

  test('what belongs to each node is not in it', () => {
    expect(bytesOf('global/global')).not.toMatch(/proxyBaseUrl|jai|updateSequence|<id>/)
    expect(bytesOf('logging/logging')).not.toContain('location')
    expect(bytesOf('file/security/layers.properties')).toBe('mode=HIDE\n*.*.r=*\n')
  })

  test('a reference by id says what it is of, even if its attribute does not', () => {
    const { files, catalog } = edited('layergroups/all.xml', ' type="layerGroup"', '')
    const text = Buffer.from(files.get('layergroup/all')?.bytes ?? []).toString()
    expect(text).toBe(bytesOf('layergroup/all'))
    expect(catalog.problems).toEqual([])
  })

  test('a workspace may be given by its bare name', () => {
    const style = (workspace: string) =>
      readPortable(
        'workspaces/w1/styles/a.xml',
        Buffer.from(`<style><name>a</name>${workspace}</style>`),
        new Overlay(),
      )
    expect(style('<workspace>w1</workspace>')).toEqual(style('<workspace><name>w1</name></workspace>'))
    expect(style('<workspace>w1</workspace>')).toMatchObject({ entry: { key: 'style/w1:a', needs: ['workspace/w1'] } })
  })

  test('a file of a release reads as the entry it was made of', () => {
    for (const { entry, bytes } of small.files.values()) {
      expect(readPortable(entry.path, bytes, new Overlay())).toMatchObject({ entry })
    }
  })
})

describe('digests', () => {
  test('two directories with ids of their own are equal', () => {
    const other = readDirectory(smallDirectory(idsWith('two')))
    expect([...other.index.ids.keys()]).not.toEqual([...small.index.ids.keys()])
    expect(digestsOf(other)).toEqual(digestsOf(small))
  })

  test('whatever the ids, they are equal', () => {
    fc.assert(
      fc.property(fc.string(), (salt) => {
        expect(changedKeys(small, readDirectory(smallDirectory(idsWith(salt))))).toEqual([])
      }),
      { numRuns: 25 },
    )
  })

  const EQUAL: readonly (readonly [what: string, path: string, from: string | RegExp, to: string])[] = [
    ['a counter', 'global.xml', '>34<', '>52<'],
    ['a date', 'workspaces/w1/workspace.xml', '2026-01-01', '2027-01-01'],
    ['a date of change', 'wms.xml', '</wms>', '<dateModified>2026-01-01 00:00:00.1 UTC</dateModified></wms>'],
    ['who changed it', 'wms.xml', '</wms>', '<modifiedBy>admin</modifiedBy></wms>'],
    ['white space between tags', 'workspaces/w1/store/cities/layer.xml', />\n\s*/g, '>'],
    ['a comment', 'workspaces/w1/store/cities/layer.xml', '<layer>', '<layer><!-- mine -->'],
    ['the order of fields', 'wms.xml', /(<enabled>.*<\/enabled>)(\s*)(<name>.*<\/name>)/, '$3$2$1'],
    ['the order of a map', 'workspaces/w1/store/datastore.xml', /(<entry key="host">.*)\n(.*)/, '$2\n$1'],
    ['another salt', 'workspaces/w1/store/datastore.xml', /crypt1:\w+/, 'crypt1:other'],
    ['another cipher', 'workspaces/w1/store/datastore.xml', /crypt1:\w+/, 'crypt2:other'],
    [
      'a default that newer versions write',
      'workspaces/w1/store/datastore.xml',
      '</dataStore>',
      '<__default>false</__default></dataStore>',
    ],
    [
      'advertised',
      'workspaces/w1/store/cities/featuretype.xml',
      '</featureType>',
      '<advertised>true</advertised></featureType>',
    ],
    ['an emptied field', 'wms.xml', '</wms>', '<title></title><keywords/></wms>'],
    [
      'a structure of nothing but defaults',
      'workspaces/w1/store/cities/layer.xml',
      '</layer>',
      '<attribution><logoWidth>0</logoWidth><logoHeight>0</logoHeight></attribution></layer>',
    ],
    [
      'a contact of empty fields',
      'global.xml',
      '</settings>',
      '<contact><id>contact</id><address/></contact></settings>',
    ],
    ['a proxy base URL', 'global.xml', /http:\/\/\w+/, 'http://elsewhere'],
    ['the date of a property file', 'security/layers.properties', 'Fri Nov 20', 'Sat Nov 21'],
    ['a comment in a property file', 'security/layers.properties', 'mode', '# why\nmode'],
  ]
  test.for(EQUAL)('are the same with %s', ([, path, from, to]) => {
    expect(changedKeys(small, edited(path, from, to))).toEqual([])
  })

  const DIFFERENT: readonly (readonly [what: string, path: string, from: string | RegExp, to: string, key: string])[] =
    [
      ['a title', 'workspaces/w1/store/cities/featuretype.xml', 'Of w1', 'Of  w1', 'featuretype/w1:cities'],
      [
        'a default that is no longer one',
        'workspaces/w1/store/cities/featuretype.xml',
        '</featureType>',
        '<advertised>false</advertised></featureType>',
        'featuretype/w1:cities',
      ],
      ['a number', 'wms.xml', '>25<', '>26<', 'service/wms'],
      ['an attribute', 'layergroups/all.xml', '<styles>', '<styles class="list">', 'layergroup/all'],
      ['a host', 'workspaces/w1/store/datastore.xml', 'db.invalid', 'db2.invalid', 'datastore/w1:store'],
      ['white space in a text', 'wms.xml', '<name>WMS</name>', '<name>WMS </name>', 'service/wms'],
      ['a rule', 'security/layers.properties', 'HIDE', 'MIXED', 'file/security/layers.properties'],
      ['a body', 'styles/burg.sld', '1.0.0', '1.1.0', 'file/styles/burg.sld'],
      [
        'a template',
        'workspaces/w1/store/cities/content.ftl',
        '<p>',
        '<b>',
        'file/workspaces/w1/store/cities/content.ftl',
      ],
      [
        'the default workspace',
        'workspaces/default.xml',
        /<id>.*<\/id>\s*<name>w1/,
        '<name>w2',
        'default-workspace/default',
      ],
      [
        'a format of tiles',
        `gwc-layers/${idsWith('one')('Layer w1:cities').replaceAll(':', '_')}.xml`,
        'png',
        'jpeg',
        'tile-layer/w1:cities',
      ],
    ]
  test.for(DIFFERENT)('are others with %s', ([, path, from, to, key]) => {
    expect(changedKeys(small, edited(path, from, to))).toEqual([key])
  })

  test('tell a layer that draws with another style', () => {
    const ids = idsWith('one')
    const changed = edited('workspaces/w1/store/cities/layer.xml', ids('Style w1:burg'), ids('Style burg'))
    expect(changedKeys(small, changed)).toEqual(['layer/w1:cities'])
  })

  test('tell which layers of a group have which style', () => {
    const style = (first: boolean) => {
      const one = `<style><id>${idsWith('one')('Style burg')}</id></style>`
      return edited('layergroups/all.xml', /<style\/>\s*<style\/>/, first ? `${one}<style/>` : `<style/>${one}`)
    }
    expect(changedKeys(style(true), style(false))).toEqual(['layergroup/all'])
  })
})

describe('problems', () => {
  test.for([
    ['a half-written file', 'workspaces/w1/store/cities/layer.xml', /<resource[^]*/, '', 'XML_MALFORMED'],
    [
      'an id that nothing has',
      'workspaces/w1/store/cities/layer.xml',
      idsWith('one')('Style w1:burg'),
      'StyleInfoImpl-9:9:-9',
      'REFERENCE_MISSING',
    ],
    ['another root', 'workspaces/w1/store/cities/layer.xml', /layer>/g, 'player>', 'XML_ROOT'],
    ['no name', 'workspaces/w1/styles/burg.xml', '<name>burg</name>', '', 'NAME_MISSING'],
    ['a blank name', 'workspaces/w1/styles/burg.xml', '<name>burg</name>', '<name> </name>', 'NAME_MISSING'],
    ['a name that leads up', 'workspaces/w1/styles/burg.xml', '<name>burg</name>', '<name>..</name>', 'NAME_ILLEGAL'],
    ['a name that leads nowhere', 'workspaces/w1/workspace.xml', '<name>w1</name>', '<name>.</name>', 'NAME_ILLEGAL'],
    ['a DOCTYPE', 'global.xml', '<global>', '<!DOCTYPE a>\n<global>', 'XML_DOCTYPE'],
  ] as const)('%s is one with its place, and no entry', ([, path, from, to, code]) => {
    const { catalog } = edited(path, from, to)
    const found = catalog.problems.find((problem) => problem.file === path)
    expect(found).toMatchObject({ code, severity: 'error', line: expect.any(Number), column: expect.any(Number) })
    expect([...catalog.entries.values()].map((entry) => entry.path)).not.toContain(path)
  })

  test('what refers to a file that is none is left out with it, all the way', () => {
    const { catalog } = edited('workspaces/w1/store/cities/featuretype.xml', '</featureType>', '')
    const left = [...smallDirectory().keys()].length - catalog.entries.size
    // The type, its layer, the groups that hold it, and the tile layers of all three.
    expect(left).toBe(7)
    expect(catalog.entries.has('layergroup/all')).toBe(false)
  })

  test('a tile layer of a layer that is gone is left out with a warning', () => {
    const files = smallDirectory()
    const path = 'gwc-layers/LayerInfoImpl-9_9_-9.xml'
    files.set(path, '<GeoServerTileLayer><id>LayerInfoImpl-9:9:-9</id><name>w1:gone</name></GeoServerTileLayer>')
    const { catalog } = readDirectory(files)
    expect(catalog.problems).toMatchObject([{ code: 'REFERENCE_MISSING', severity: 'warning', file: path }])
    expect(catalog.entries.size).toBe(small.catalog.entries.size)
  })

  test('a style without its body stays, with a warning', () => {
    const files = smallDirectory()
    files.delete('styles/burg.sld')
    const { catalog } = readDirectory(files)
    expect(catalog.problems).toMatchObject([{ code: 'REFERENCE_MISSING', severity: 'warning', dataset: 'style/burg' }])
    expect(catalog.entries.has('style/burg')).toBe(true)
  })

  test('a folder that is not called like its object is a warning', () => {
    const files = new Map(
      Array.from(smallDirectory(), ([path, text]) => [
        path.replace('workspaces/w2/store/', 'workspaces/w2/old/'),
        text,
      ]),
    )
    const { catalog } = readDirectory(files)
    expect(catalog.problems).toMatchObject([
      {
        code: 'FOLDER_NAME',
        severity: 'warning',
        file: 'workspaces/w2/old/datastore.xml',
        dataset: 'datastore/w2:store',
      },
    ])
  })

  test('an object in two files is in no entry', () => {
    const files = smallDirectory()
    files.set('workspaces/w1/styles/copy.xml', files.get('workspaces/w1/styles/burg.xml') ?? '')
    const { catalog } = readDirectory(files)
    const twice = catalog.problems.filter(({ code }) => code === 'KEY_DUPLICATE')
    expect(twice.map(({ file, dataset }) => [file, dataset])).toEqual([
      ['workspaces/w1/styles/burg.xml', 'style/w1:burg'],
      ['workspaces/w1/styles/copy.xml', 'style/w1:burg'],
    ])
    expect(catalog.entries.has('style/w1:burg')).toBe(false)
  })
})
