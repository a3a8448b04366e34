import { sha256 } from '../../src/lib/hash.ts'
import { assemble } from '../../src/targets/geoserver/definition/assemble.ts'
import { classify } from '../../src/targets/geoserver/definition/classify.ts'
import type { Catalog } from '../../src/targets/geoserver/definition/model.ts'
import { Overlay } from '../../src/targets/geoserver/definition/overlay.ts'
import { IdIndex, inReadingOrder, parseFile } from '../../src/targets/geoserver/definition/parsed.ts'
import { portable, type PortableFile } from '../../src/targets/geoserver/definition/portable.ts'

/** Contents of a data directory by path. */
export type Files = ReadonlyMap<string, string | Uint8Array>

export interface ReadDirectory {
  readonly catalog: Catalog
  /** By key. */
  readonly files: ReadonlyMap<string, PortableFile>
  readonly index: IdIndex
}

/** A data directory as a whole, read in one go. */
export function readDirectory(contents: Files, overlay = new Overlay()): ReadDirectory {
  const parsed = [...contents]
    .filter(([path]) => classify(path).leftOut === undefined)
    .map(([path, content]) => parseFile(path, typeof content === 'string' ? Buffer.from(content) : content))
    .toSorted(inReadingOrder)
  const index = new IdIndex()
  for (const file of parsed) index.add(file)
  const made = parsed.map((file) => portable(file, { ids: index.ids, overlay }))
  const good = made.flatMap((file) => ('entry' in file ? file : []))
  const problems = made.flatMap((file) => ('problem' in file ? file.problem : []))
  const catalog = assemble(
    good.map(({ entry }) => entry),
    problems,
  )
  return { catalog, files: new Map(good.map((file) => [file.entry.key, file])), index }
}

/** Digests by key: what two directories are compared by. */
export function digestsOf({ catalog }: ReadDirectory): Readonly<Record<string, string>> {
  return Object.fromEntries(Array.from(catalog.entries.values(), ({ key, digest }) => [key, digest]))
}

/** Keys that are in only one of two directories, or mean something else in the other, sorted. */
export function changedKeys(before: ReadDirectory, after: ReadDirectory): readonly string[] {
  const [was, is] = [digestsOf(before), digestsOf(after)]
  const keys = new Set([...Object.keys(was), ...Object.keys(is)])
  return [...keys].filter((key) => was[key] !== is[key]).toSorted()
}

/** What a directory calls an object inside of itself. `salt` tells two directories apart. */
export function idsWith(salt: string): (name: string) => string {
  return (name) => {
    const hash = sha256(`${salt} ${name}`)
    return `${name.split(' ')[0]}InfoImpl-${hash.slice(0, 8)}:${hash.slice(8, 19)}:-${hash.slice(19, 23)}`
  }
}

/**
 * A small data directory with one of nearly everything: two workspaces, a store with a password, layers, styles of a
 * workspace and global ones, a group that holds a group, tile layers, settings, services and access rules.
 */
export function smallDirectory(idOf: (name: string) => string = idsWith('one')): Map<string, string> {
  const ref = (element: string, name: string, attributes = '') =>
    `<${element}${attributes}>\n    <id>${idOf(name)}</id>\n  </${element}>`
  const object = (root: string, name: string, ...fields: string[]) =>
    `<${root}>\n  <id>${idOf(name)}</id>\n  ${fields.join('\n  ')}\n</${root}>`
  const files = new Map<string, string>()
  const workspace = (ws: string) => {
    files.set(
      `workspaces/${ws}/workspace.xml`,
      object(
        'workspace',
        `Workspace ${ws}`,
        `<name>${ws}</name>`,
        '<dateCreated>2026-01-01 00:00:00.1 UTC</dateCreated>',
      ),
    )
    files.set(
      `workspaces/${ws}/namespace.xml`,
      object('namespace', `Namespace ${ws}`, `<prefix>${ws}</prefix>`, `<uri>http://${ws}</uri>`),
    )
  }
  const layer = (ws: string, name: string, style: string) => {
    const folder = `workspaces/${ws}/store/${name}`
    files.set(
      `${folder}/featuretype.xml`,
      object(
        'featureType',
        `FeatureType ${ws}:${name}`,
        `<name>${name}</name>`,
        ref('namespace', `Namespace ${ws}`),
        `<title>Of ${ws}</title>`,
        '<enabled>true</enabled>',
        ref('store', `DataStore ${ws}:store`, ' class="dataStore"'),
      ),
    )
    files.set(
      `${folder}/layer.xml`,
      object(
        'layer',
        `Layer ${ws}:${name}`,
        `<name>${name}</name>`,
        '<type>VECTOR</type>',
        ref('defaultStyle', `Style ${style}`),
        ref('resource', `FeatureType ${ws}:${name}`, ' class="featureType"'),
      ),
    )
    tileLayer(`Layer ${ws}:${name}`, `${ws}:${name}`)
  }
  const tileLayer = (owner: string, name: string) => {
    files.set(
      `gwc-layers/${idOf(owner).replaceAll(':', '_')}.xml`,
      object(
        'GeoServerTileLayer',
        owner,
        '<enabled>true</enabled>',
        `<name>${name}</name>`,
        '<mimeFormats>\n    <string>image/png</string>\n  </mimeFormats>',
      ),
    )
  }
  const store = (ws: string) => {
    files.set(
      `workspaces/${ws}/store/datastore.xml`,
      object(
        'dataStore',
        `DataStore ${ws}:store`,
        '<name>store</name>',
        ref('workspace', `Workspace ${ws}`),
        `<connectionParameters>\n    <entry key="host">db.invalid</entry>\n    <entry key="passwd">crypt1:${sha256(idOf(ws)).slice(0, 24)}</entry>\n    <entry key="url">file:data/${ws}</entry>\n  </connectionParameters>`,
      ),
    )
  }
  const style = (folder: string, name: string, ws?: string) => {
    const owner = ws === undefined ? [] : [ref('workspace', `Workspace ${ws}`)]
    const whole = ws === undefined ? name : `${ws}:${name}`
    files.set(
      `${folder}/${name}.xml`,
      object('style', `Style ${whole}`, `<name>${name}</name>`, ...owner, `<filename>${name}.sld</filename>`),
    )
    files.set(`${folder}/${name}.sld`, `<StyledLayerDescriptor version="1.0.0"/>`)
  }
  const group = (path: string, name: string, owner: string | undefined, ...members: string[]) => {
    const published = members.map((member) =>
      ref('published', member, member.startsWith('LayerGroup') ? ' type="layerGroup"' : ' type="layer"'),
    )
    const its = owner === undefined ? [] : [ref('workspace', `Workspace ${owner}`)]
    const whole = owner === undefined ? name : `${owner}:${name}`
    files.set(
      path,
      object(
        'layerGroup',
        `LayerGroup ${whole}`,
        `<name>${name}</name>`,
        '<mode>SINGLE</mode>',
        ...its,
        `<publishables>\n  ${published.join('\n  ')}\n  </publishables>`,
        `<styles>\n    ${members.map(() => '<style/>').join('\n    ')}\n  </styles>`,
      ),
    )
    tileLayer(`LayerGroup ${whole}`, whole)
  }
  style('styles', 'burg')
  for (const ws of ['w1', 'w2']) {
    workspace(ws)
    store(ws)
    style(`workspaces/${ws}/styles`, 'burg', ws)
    layer(ws, 'cities', `${ws}:burg`)
  }
  layer('w1', 'roads', 'burg')
  group('workspaces/w1/layergroups/inner.xml', 'inner', 'w1', 'Layer w1:cities', 'Layer w1:roads')
  group('layergroups/all.xml', 'all', undefined, 'LayerGroup w1:inner', 'Layer w2:cities')
  files.set(
    'workspaces/default.xml',
    object('workspace', 'Workspace w1', '<name>w1</name>', '<isolated>false</isolated>'),
  )
  files.set(
    'workspaces/w1/wms.xml',
    object(
      'wms',
      'WMS w1',
      ref('workspace', 'Workspace w1'),
      '<enabled>true</enabled>',
      '<name>WMS</name>',
      '<title>Of w1</title>',
    ),
  )
  files.set(
    'workspaces/w1/settings.xml',
    object(
      'settings',
      'Settings w1',
      `<workspace>\n    <id>${idOf('Workspace w1')}</id>\n    <name>w1</name>\n  </workspace>`,
      '<charset>UTF-8</charset>',
      '<numDecimals>6</numDecimals>',
    ),
  )
  files.set(
    'wms.xml',
    '<wms>\n  <id>wms</id>\n  <enabled>true</enabled>\n  <name>WMS</name>\n  <maxBuffer>25</maxBuffer>\n</wms>',
  )
  files.set(
    'global.xml',
    `<global>\n  <settings>\n    <id>${idOf('Settings')}</id>\n    <numDecimals>7</numDecimals>\n    <proxyBaseUrl>http://${sha256(idOf('node')).slice(0, 8)}.invalid</proxyBaseUrl>\n  </settings>\n  <jai>\n    <tileThreads>7</tileThreads>\n  </jai>\n  <updateSequence>34</updateSequence>\n</global>`,
  )
  files.set(
    'logging.xml',
    '<logging>\n  <level>PRODUCTION_LOGGING</level>\n  <location>logs/geoserver.log</location>\n</logging>',
  )
  files.set('security/layers.properties', '#Fri Nov 20 10:24:25 UTC 2026\nmode=HIDE\n*.*.r=*\n')
  files.set('workspaces/w1/store/cities/content.ftl', '<p>${features?size}</p>')
  files.set('workspaces/w1/styles/icon.svg', '<svg xmlns="http://www.w3.org/2000/svg"/>')
  return files
}
