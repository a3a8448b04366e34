import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const LAYERS_PER_WORKSPACE = 500
const LAYERS_PER_STORE = 50
const LAYERS_PER_STYLE = 10
const LAYERS_PER_GROUP = 20

/**
 * A data directory with files of the shapes and sizes that GeoServer 2.26 writes: workspaces of 500 layers over stores of 50, a style
 * for every ten layers, a group of every twenty, and the tile layer of each. Answers how many files that are.
 */
export function generateCatalog(root: string, layers: number): number {
  let files = 0
  const write = (path: string, content: string): void => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    files += 1
  }
  write('global.xml', GLOBAL)
  write(
    'logging.xml',
    '<logging>\n  <level>DEFAULT_LOGGING</level>\n  <stdOutLogging>true</stdOutLogging>\n</logging>\n',
  )
  for (const name of ['wms', 'wfs', 'wcs', 'wmts']) write(`${name}.xml`, service(name))
  for (let index = 0; index < layers; index++) {
    const [ws, store] = [Math.floor(index / LAYERS_PER_WORKSPACE), Math.floor(index / LAYERS_PER_STORE)]
    const style = Math.floor(index / LAYERS_PER_STYLE)
    const folder = `workspaces/ws${ws}`
    if (index % LAYERS_PER_WORKSPACE === 0) {
      write(`${folder}/workspace.xml`, object('workspace', id('Workspace', ws), `<name>ws${ws}</name>`))
      const uri = `<prefix>ws${ws}</prefix>\n  <uri>https://example.org/ws${ws}</uri>`
      write(`${folder}/namespace.xml`, object('namespace', id('Namespace', ws), uri))
    }
    if (index % LAYERS_PER_STORE === 0) write(`${folder}/st${store}/datastore.xml`, dataStore(store, ws))
    if (index % LAYERS_PER_STYLE === 0) {
      write(`${folder}/styles/s${style}.xml`, styleXml(style, ws))
      write(`${folder}/styles/s${style}.sld`, sld(style))
    }
    write(`${folder}/st${store}/l${index}/featuretype.xml`, featureType(index, store, ws))
    write(`${folder}/st${store}/l${index}/layer.xml`, layer(index, style))
    write(
      `gwc-layers/${id('Layer', index).replaceAll(':', '_')}.xml`,
      tileLayer(id('Layer', index), `ws${ws}:l${index}`),
    )
    if (index % LAYERS_PER_GROUP !== LAYERS_PER_GROUP - 1) continue
    const group = Math.floor(index / LAYERS_PER_GROUP)
    write(`${folder}/layergroups/g${group}.xml`, layerGroup(group, ws, index))
    write(
      `gwc-layers/${id('LayerGroup', group).replaceAll(':', '_')}.xml`,
      tileLayer(id('LayerGroup', group), `ws${ws}:g${group}`),
    )
  }
  return files
}

/** Changes what the style of that number says. */
export function editStyle(root: string, style: number, change: number): void {
  const ws = Math.floor((style * LAYERS_PER_STYLE) / LAYERS_PER_WORKSPACE)
  writeFileSync(join(root, `workspaces/ws${ws}/styles/s${style}.sld`), sld(style, `change ${change}`))
}

function id(kind: string, index: number): string {
  return `${kind}InfoImpl-${(0x570ae188 + index).toString(16)}:124761b8d78:-${(0x7000 + (index % 4096)).toString(16)}`
}

function ref(name: string, of: string, attributes = ''): string {
  return `<${name}${attributes}>\n    <id>${of}</id>\n  </${name}>`
}

function object(name: string, own: string, ...fields: readonly string[]): string {
  const dates = '<dateCreated>2026-01-17 09:12:44.120 UTC</dateCreated>'
  return `<${name}>\n  <id>${own}</id>\n${[...fields, dates].map((field) => `  ${field}\n`).join('')}</${name}>\n`
}

function dataStore(store: number, ws: number): string {
  const parameters = {
    host: 'db.example.org',
    port: '5432',
    dbtype: 'postgis',
    database: `db${ws}`,
    schema: 'public',
    user: 'geo',
    passwd: `crypt1:${Buffer.from(`password ${store} and salt`).toString('base64')}`,
    'max connections': '10',
    'min connections': '1',
    'Expose primary keys': 'false',
    'fetch size': '1000',
    'Loose bbox': 'true',
    namespace: `https://example.org/ws${ws}`,
  }
  const entries = Object.entries(parameters).map(([key, value]) => `    <entry key="${key}">${value}</entry>\n`)
  return object(
    'dataStore',
    id('DataStore', store),
    `<name>st${store}</name>`,
    '<type>PostGIS</type>',
    '<enabled>true</enabled>',
    ref('workspace', id('Workspace', ws)),
    `<connectionParameters>\n${entries.join('')}  </connectionParameters>`,
    '<__default>false</__default>',
  )
}

const BOX =
  '<minx>145.19754</minx>\n    <maxx>148.27298</maxx>\n    <miny>-43.423512</miny>\n    <maxy>-40.852802</maxy>\n    <crs>EPSG:4326</crs>'
const WKT = `GEOGCS[&quot;WGS 84&quot;,
  DATUM[&quot;World Geodetic System 1984&quot;,
    SPHEROID[&quot;WGS 84&quot;, 6378137.0, 298.257223563, AUTHORITY[&quot;EPSG&quot;,&quot;7030&quot;]],
    AUTHORITY[&quot;EPSG&quot;,&quot;6326&quot;]],
  PRIMEM[&quot;Greenwich&quot;, 0.0, AUTHORITY[&quot;EPSG&quot;,&quot;8901&quot;]],
  UNIT[&quot;degree&quot;, 0.017453292519943295],
  AUTHORITY[&quot;EPSG&quot;,&quot;4326&quot;]]`

function featureType(index: number, store: number, ws: number): string {
  return object(
    'featureType',
    id('FeatureType', index),
    `<name>l${index}</name>`,
    `<nativeName>l${index}</nativeName>`,
    ref('namespace', id('Namespace', ws)),
    `<title>Observations ${index}</title>`,
    `<abstract>What was observed at place ${index}, averaged over ten minutes &amp; checked by hand.</abstract>`,
    `<keywords>\n    <string>features</string>\n    <string>l${index}</string>\n  </keywords>`,
    `<nativeCRS>${WKT}</nativeCRS>`,
    '<srs>EPSG:4326</srs>',
    `<nativeBoundingBox>\n    ${BOX}\n  </nativeBoundingBox>`,
    `<latLonBoundingBox>\n    ${BOX}\n  </latLonBoundingBox>`,
    '<projectionPolicy>FORCE_DECLARED</projectionPolicy>',
    '<enabled>true</enabled>',
    '<metadata>\n    <entry key="cachingEnabled">true</entry>\n    <entry key="cacheAgeMax">3600</entry>\n  </metadata>',
    ref('store', id('DataStore', store), ' class="dataStore"'),
    '<serviceConfiguration>false</serviceConfiguration>',
    '<maxFeatures>0</maxFeatures>',
    '<numDecimals>0</numDecimals>',
    '<padWithZeros>false</padWithZeros>',
    '<forcedDecimal>false</forcedDecimal>',
    '<overridingServiceSRS>false</overridingServiceSRS>',
    '<skipNumberMatched>false</skipNumberMatched>',
    '<circularArcPresent>false</circularArcPresent>',
  )
}

function layer(index: number, style: number): string {
  return object(
    'layer',
    id('Layer', index),
    `<name>l${index}</name>`,
    '<type>VECTOR</type>',
    ref('defaultStyle', id('Style', style)),
    ref('resource', id('FeatureType', index), ' class="featureType"'),
    '<attribution>\n    <logoWidth>0</logoWidth>\n    <logoHeight>0</logoHeight>\n  </attribution>',
  )
}

function layerGroup(group: number, ws: number, last: number): string {
  const layers = Array.from({ length: LAYERS_PER_GROUP }, (_, at) => id('Layer', last - at))
  const published = layers.map((one) => `    <published type="layer">\n      <id>${one}</id>\n    </published>\n`)
  return object(
    'layerGroup',
    id('LayerGroup', group),
    `<name>g${group}</name>`,
    '<mode>SINGLE</mode>',
    `<title>Group ${group}</title>`,
    ref('workspace', id('Workspace', ws)),
    `<publishables>\n${published.join('')}  </publishables>`,
    `<styles>\n${layers.map(() => '    <style/>\n').join('')}  </styles>`,
    `<bounds>\n    ${BOX}\n  </bounds>`,
  )
}

function styleXml(style: number, ws: number): string {
  return object(
    'style',
    id('Style', style),
    `<name>s${style}</name>`,
    ref('workspace', id('Workspace', ws)),
    '<format>sld</format>',
    '<languageVersion>\n    <version>1.0.0</version>\n  </languageVersion>',
    `<filename>s${style}.sld</filename>`,
  )
}

function sld(style: number, title = 'as it was'): string {
  const rules = Array.from(
    { length: 8 },
    (_, rule) => `        <Rule>
          <Name>class ${rule}</Name>
          <MinScaleDenominator>${rule * 1000}</MinScaleDenominator>
          <PointSymbolizer><Graphic><Mark><WellKnownName>circle</WellKnownName><Fill>
            <CssParameter name="fill">#${((style * 2654435761 + rule) >>> 8).toString(16).padStart(6, '0').slice(0, 6)}</CssParameter>
          </Fill></Mark><Size>${rule + 2}</Size></Graphic></PointSymbolizer>
        </Rule>\n`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>
<StyledLayerDescriptor version="1.0.0" xmlns="http://www.opengis.net/sld">
  <NamedLayer><Name>s${style}</Name><UserStyle><Title>${title}</Title><FeatureTypeStyle>
${rules.join('')}  </FeatureTypeStyle></UserStyle></NamedLayer>
</StyledLayerDescriptor>
`
}

function tileLayer(own: string, name: string): string {
  const subset = (set: string): string =>
    `    <gridSubset>\n      <gridSetName>${set}</gridSetName>\n    </gridSubset>\n`
  return `<GeoServerTileLayer>
  <id>${own}</id>
  <enabled>true</enabled>
  <inMemoryCached>true</inMemoryCached>
  <name>${name}</name>
  <mimeFormats>\n    <string>image/png</string>\n    <string>image/jpeg</string>\n  </mimeFormats>
  <gridSubsets>\n${subset('EPSG:4326')}${subset('EPSG:900913')}  </gridSubsets>
  <metaWidthHeight>\n    <int>4</int>\n    <int>4</int>\n  </metaWidthHeight>
  <expireCache>0</expireCache>
  <expireClients>0</expireClients>
  <parameterFilters>
    <styleParameterFilter>\n      <key>STYLES</key>\n      <defaultValue></defaultValue>\n    </styleParameterFilter>
  </parameterFilters>
  <gutter>0</gutter>
  <cacheWarningSkips/>
</GeoServerTileLayer>
`
}

function service(name: string): string {
  return `<${name}>\n  <id>${name}</id>\n  <enabled>true</enabled>\n  <name>${name.toUpperCase()}</name>\n  <maxBuffer>25</maxBuffer>\n</${name}>\n`
}

const GLOBAL = `<global>
  <settings>
    <id>SettingsInfoImpl--570ae188:124761b8d78:-7fff</id>
    <charset>UTF-8</charset>
    <numDecimals>8</numDecimals>
    <onlineResource>https://example.org</onlineResource>
  </settings>
  <updateSequence>34</updateSequence>
  <globalServices>true</globalServices>
</global>
`
