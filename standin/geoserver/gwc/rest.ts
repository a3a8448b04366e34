import { type Answer, type Ask, done, json, payload, Refusal, show } from '../http.ts'
import { param } from '../rest/objects.ts'
import type { Routes } from '../router.ts'
import { child, copy, type Element, parseXml, removeChild, setChild, textAt, writeXml } from '../xml.ts'
import type { TileLayer } from './tile-layers.ts'

const HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'

export const tileCache: Routes = {
  'GET /gwc/rest/layers': (ask) => json(ask.world.tileLayers.list().map(({ name }) => name)),
  'GET /gwc/rest/layers/:name': getLayer,
  'POST|PUT /gwc/rest/layers/:name': putLayer,
  'DELETE /gwc/rest/layers/:name': deleteLayer,
  'GET /gwc/rest/gridsets': ({ world }) => json(world.tileConfig.gridSets),
  'GET /gwc/rest/blobstores': () => json([]),
  'GET /gwc/rest/diskquota': quota,
  'GET /gwc/rest/global': () => json({ global: GLOBAL }),
  'GET /gwc/rest/seed/:name': () => json({ 'long-array-array': [] }),
  'POST /gwc/rest/seed/:name': seed,
  'POST /gwc/rest/masstruncate': truncate,
  'GET /gwc/rest/masstruncate': () => ({ status: 200, type: 'application/xml', body: TRUNCATIONS }),
  'POST /gwc/rest/reload': reload,
}

const GLOBAL = {
  identifier: 'gwc',
  runtimeStatsEnabled: true,
  backendTimeout: 120,
  wmtsCiteCompliant: false,
  location: 'gwc/geowebcache.xml',
  version: '1.8.0',
}

const WARNING =
  '<p>Note that this functionality has not been rigorously tested, please reload the servlet if you run into any problems. ' +
  'Also note that you must truncate the tiles of any layers that have changed.</p><p><a href="../demo">Go back</a></p>\n'

const TRUNCATIONS = '<massTruncateRequests><requestType>truncateLayer</requestType></massTruncateRequests>'

function quota({ world }: Ask): Answer {
  const { enabled, bytes } = world.tileConfig.quota
  const others = { cacheCleanUpFrequency: 10, cacheCleanUpUnits: 'SECONDS', maxConcurrentCleanUps: 2 }
  const config = { enabled, ...others, globalExpirationPolicyName: 'LFU', globalQuota: { id: 0, bytes } }
  return json({ 'org.geowebcache.diskquota.DiskQuotaConfig': config })
}

function layerOf(ask: Ask): TileLayer {
  const name = param(ask, 'name')
  const found = ask.world.tileLayers.find(name)
  if (found === undefined) throw new Refusal(404, `Unknown layer: ${name}`)
  return found
}

/** Named otherwise than in its file, and without the styles, which are those of the layer. */
function getLayer(ask: Ask): Answer {
  const shown: Element = { ...copy(layerOf(ask).xml), name: 'GeoServerLayer' }
  for (const filter of child(shown, 'parameterFilters')?.children ?? []) {
    for (const name of ['availableStyles', 'defaultStyle']) removeChild(filter, name)
  }
  if (ask.format === 'json') return show(ask, shown)
  return { status: 200, type: 'application/xml;charset=UTF-8', body: HEADER + writeXml(shown) }
}

/** Only for layers and groups of the catalog; the id in the payload does not count. */
function putLayer(ask: Ask): Answer {
  const { world } = ask
  const name = param(ask, 'name')
  const given = payload(ask, 'GeoServerLayer', 'GeoServerTileLayer')
  const of = world.catalog.byQualified('layer', name) ?? world.catalog.byQualified('layerGroup', name)
  if (of === undefined) throw new Refusal(404, `Layer ${name} does not exist`)
  const before = world.tileLayers.find(name)
  if (ask.method === 'POST' && before === undefined) throw new Refusal(404, `Unknown layer: ${name}`)
  const xml: Element = { ...(before === undefined ? copy(given) : copy(before.xml)), name: 'GeoServerTileLayer' }
  for (const one of given.children) setChild(xml, one)
  setChild(xml, { name: 'id', attributes: {}, children: [], text: of.id })
  setChild(xml, { name: 'name', attributes: {}, children: [], text: name })
  xml.children = xml.children.toSorted((a, b) => Number(b.name === 'id') - Number(a.name === 'id'))
  world.tileLayers.save(of.id, xml)
  world.tileLayers.truncate(name)
  return { status: 200, type: 'text/plain', body: `layer: ${name} saved` }
}

function deleteLayer(ask: Ask): Answer {
  ask.world.tileLayers.removeFile(layerOf(ask))
  return { status: 200, type: 'text/plain', body: `layer : ${param(ask, 'name')} deleted` }
}

/** Taken, and nothing is seeded; a request to truncate does so. */
function seed(ask: Ask): Answer {
  const given = payload(ask, 'seedRequest')
  if (textAt(given, 'type') === 'truncate') ask.world.tileLayers.truncate(layerOf(ask).name)
  return done
}

function truncate(ask: Ask): Answer {
  const given = parse(ask)
  const name = textAt(given, 'layerName') ?? ''
  if (given.name === 'truncateAll') {
    for (const layer of ask.world.tileLayers.list()) ask.world.tileLayers.truncate(layer.name)
    return done
  }
  if (ask.world.tileLayers.find(name) === undefined) throw new Refusal(500, `Could not find layer ${name}`)
  ask.world.tileLayers.truncate(name)
  return done
}

function parse({ body }: Ask): Element {
  try {
    return parseXml(body.toString('utf8'))
  } catch (error) {
    throw new Refusal(400, error instanceof Error ? error.message : String(error))
  }
}

function reload(ask: Ask): Answer {
  const asked = new URLSearchParams(ask.body.toString('utf8'))
  if (asked.get('reload_configuration') !== '1') throw new Refusal(400, 'Unknown or malformed request.')
  ask.world.tileConfig.read()
  const count = ask.world.tileLayers.look()
  const body = `<html>
<head>
<title>GWC Reload</title>
<link rel="stylesheet" href="../rest/web/gwc.css" type="text/css"/>
</head>
<body>
<div id="pageHeader"><a id="logo" href="../"><img src="../rest/web/geowebcache_logo.png"/></a></div>
<p>TileLayerConfiguration reloaded. Read ${count} layers from configuration resources.</p>${WARNING}</body></html>`
  return { status: 200, type: 'text/plain;charset=iso-8859-1', body }
}
