import { expect, test } from 'vitest'
import { readChange } from './change.ts'

const IMPL = 'org.geoserver.catalog.impl'
const EVENTS = 'org.geoserver.catalog.event.impl'

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
/** As ActiveMQ gives a string of Java. */
const wrapped = (xml: string): string => `<string>${escaped(xml)}</string>`
const event = (name: string, inner: string): string => wrapped(`<${EVENTS}.${name}>${inner}</${EVENTS}.${name}>`)

const WORKSPACE = `<workspace class="dynamic-proxy">
    <interface>org.geoserver.catalog.WorkspaceInfo</interface>
    <handler class="${IMPL}.ModificationProxy">
      <proxyObject class="${IMPL}.WorkspaceInfoImpl"><id>W-1</id><name>topp</name><__default>false</__default></proxyObject>
    </handler>
  </workspace>`
const STORE = `<store class="${IMPL}.DataStoreInfoImpl"><name>pg</name>${WORKSPACE}
  <connectionParameters><entry><string>passwd</string><string>canary</string></entry></connectionParameters></store>`
const LAYER = `<source class="${IMPL}.LayerInfoImpl"><id>L-1</id>
  <resource class="${IMPL}.FeatureTypeInfoImpl"><name>états</name>${STORE}
    <namespace class="${IMPL}.NamespaceInfoImpl"><prefix>topp</prefix><uri>http://x</uri></namespace></resource>
  <defaultStyle class="${IMPL}.StyleInfoImpl"><name>roads</name>
    <workspace class="dynamic-proxy" reference="../../resource/store/workspace"/></defaultStyle></source>`
const STYLE = `<source class="${IMPL}.StyleInfoImpl"><name>roads</name>${WORKSPACE}</source>
  <propertyNames><string>filename</string><string>workspace</string></propertyNames>
  <oldValues><string>canary</string><null/></oldValues>`

test.for([
  ['a layer', event('CatalogAddEventImpl', LAYER), 'add', 'layer/topp:états', []],
  ['a style', event('CatalogModifyEventImpl', STYLE), 'modify', 'style/topp:roads', ['filename', 'workspace']],
  [
    'a global style',
    event('CatalogRemoveEventImpl', `<source class="${IMPL}.StyleInfoImpl"><name>roads</name></source>`),
    'remove',
    'style/roads',
    [],
  ],
  [
    'a workspace behind a proxy',
    event('CatalogRemoveEventImpl', WORKSPACE.replaceAll('workspace', 'source')),
    'remove',
    'workspace/topp',
    [],
  ],
  [
    'a namespace',
    event('CatalogAddEventImpl', `<source class="${IMPL}.NamespaceInfoImpl"><prefix>ne</prefix></source>`),
    'add',
    'namespace/ne',
    [],
  ],
  [
    'a store',
    event('CatalogAddEventImpl', STORE.replaceAll('store', 'source').replace('sourceInfo', 'storeInfo')),
    'add',
    'datastore/topp:pg',
    [],
  ],
  [
    'a resource known by its store alone',
    event('CatalogAddEventImpl', `<source class="${IMPL}.WMTSLayerInfoImpl"><name>t</name>${STORE}</source>`),
    'add',
    'wmtslayer/topp:t',
    [],
  ],
  [
    'a service of a workspace',
    wrapped(
      `<org.geoserver.cluster.impl.events.configuration.JMSServiceModifyEvent><source class="org.geoserver.wms.WMSInfoImpl">${WORKSPACE}</source><eventType>ADDED</eventType></org.geoserver.cluster.impl.events.configuration.JMSServiceModifyEvent>`,
    ),
    'add',
    'service/topp:WMS',
    [],
  ],
  [
    'the global settings',
    wrapped(
      '<org.geoserver.config.impl.GeoServerInfoImpl><adminPassword>canary</adminPassword></org.geoserver.config.impl.GeoServerInfoImpl>',
    ),
    'modify',
    'global',
    [],
  ],
  [
    'the file of a style',
    wrapped(
      '<org.geoserver.cluster.impl.handlers.DocumentFile><resourceName>roads.sld</resourceName><body>&lt;canary/></body></org.geoserver.cluster.impl.handlers.DocumentFile>',
    ),
    'modify',
    'file/roads.sld',
    [],
  ],
] as const)('%s is named, and no value of it', ([, body, what, object, properties]) => {
  const change = readChange(body)
  expect(change).toEqual({ event: what, object, properties })
  expect(JSON.stringify(change)).not.toContain('canary')
})

test.for([
  ['no XML', 'hello'],
  ['a text that is no XML', wrapped('hello')],
  ['cut short', event('CatalogAddEventImpl', LAYER).slice(0, -30)],
  ['a document type around it', `<!DOCTYPE x [<!ENTITY e "x">]>${wrapped('<a/>')}`],
  ['a document type in it', wrapped('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>')],
  ['an entity that nothing declares', wrapped('<a>&e;</a>')],
  ['nested without end', wrapped('<a>'.repeat(100_000))],
  ['elements without end', wrapped(`<a>${'<b/>'.repeat(200_000)}</a>`)],
  ['elements around the text', '<list><string>&lt;a/></string></list>'],
] as const)('%s is refused', ([, body]) => {
  expect(() => readChange(body)).toThrow(/not XML that is read/)
})

test.for([
  ['to itself', `<source class="dynamic-proxy" reference="../source"/>`],
  ['to nowhere', `<source class="x" reference="../../../../../a[9]/b"/>`],
  ['in a circle', `<source reference="../b"/><b reference="../source"/>`],
] as const)('a reference that leads %s names nothing', ([, inner]) => {
  expect(readChange(event('CatalogAddEventImpl', inner))).toMatchObject({ event: 'add', object: 'unknown' })
})

test('of a long name some is kept', () => {
  const long = `<source class="${IMPL}.StyleInfoImpl"><name>${'x'.repeat(100_000)}</name></source>`
  expect(readChange(event('CatalogAddEventImpl', long)).object.length).toBeLessThan(300)
})
