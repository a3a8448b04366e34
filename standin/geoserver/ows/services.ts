import { type Answer, type Ask, Refusal } from '../http.ts'
import { tileFolder } from '../gwc/tile-layers.ts'
import { isResource, type Item } from '../catalog.ts'
import { folder } from '../places.ts'
import type { Routes } from '../router.ts'
import { escapeXml, textAt } from '../xml.ts'
import { draw } from './draw.ts'

/** What proves that a catalog is served: capabilities, maps, features and tiles. */
export const ows: Routes = {
  'GET|POST /wms': wms,
  'GET|POST /wfs': wfs,
  'GET|POST /ows': (ask) => (keys(ask).get('service')?.toLowerCase() === 'wfs' ? wfs(ask) : wms(ask)),
  'GET|POST /:ws/wms': wms,
  'GET|POST /:ws/wfs': wfs,
  'GET /gwc/service/wms': tile,
  'GET /gwc/service/wmts': tile,
}

function keys({ query }: Ask): ReadonlyMap<string, string> {
  return new Map([...query].map(([key, value]) => [key.toLowerCase(), value]))
}

function names(ask: Ask, key: string): readonly string[] {
  const within = ask.params['ws']
  const given = (keys(ask).get(key) ?? '').split(',').filter((name) => name !== '')
  return given.map((name) => (within === undefined || name.includes(':') ? name : `${within}:${name}`))
}

/** While a reload runs there are no service settings in memory. (measured: 76 to 80 of 80 requests) */
function wms(ask: Ask): Answer {
  if (ask.world.reloading !== undefined) throw new Refusal(500, 'java.lang.NullPointerException', true)
  mustBeEnabled(ask, 'wms')
  if (keys(ask).get('request')?.toLowerCase() === 'getcapabilities') {
    const { catalog } = ask.world
    const all = [...catalog.list('layer'), ...catalog.list('layerGroup')].filter((item) => isShown(ask, item))
    const layers = all.map((item) => `<Layer><Name>${escapeXml(catalog.qualified(item))}</Name></Layer>`)
    return xml(capabilities(ask, 'WMS_Capabilities', `<Layer>${layers.join('')}</Layer>`))
  }
  const image = draw(ask.world, names(ask, 'layers'), (keys(ask).get('styles') ?? '').split(','))
  if (image !== undefined) return { status: 200, type: keys(ask).get('format') ?? 'image/png', body: image }
  return exception(`Could not find layer ${names(ask, 'layers').join(',')}`, 'LayerNotDefined')
}

async function wfs(ask: Ask): Promise<Answer> {
  const wasReloading = ask.world.reloading
  await wasReloading
  if (wasReloading !== undefined) throw new Refusal(404, 'Not Found', true)
  mustBeEnabled(ask, 'wfs')
  const { catalog } = ask.world
  if (keys(ask).get('request')?.toLowerCase() === 'getcapabilities') {
    const all = catalog.list('featureType').filter((item) => isShown(ask, item))
    const types = all.map((item) => `<FeatureType><Name>${escapeXml(catalog.qualified(item))}</Name></FeatureType>`)
    return xml(capabilities(ask, 'wfs:WFS_Capabilities', `<FeatureTypeList>${types.join('')}</FeatureTypeList>`))
  }
  const [name = ''] = [...names(ask, 'typenames'), ...names(ask, 'typename')]
  const found = catalog.byQualified('featureType', name)
  if (found === undefined) return exception(`Feature type ${name} unknown`, 'InvalidParameterValue', 400)
  const content = ask.world.files.text(`${folder(found)}/content.ftl`) ?? ''
  const title = escapeXml(textAt(found.xml, 'title') ?? '')
  const body = `<wfs:FeatureCollection numberMatched="0"><!-- ${escapeXml(name)}: ${title} --></wfs:FeatureCollection>`
  // No features; a template shows in a header, as it is at this moment.
  return { ...xml(body), headers: { 'x-template': encodeURIComponent(content) } }
}

function mustBeEnabled(ask: Ask, name: string): void {
  const workspace = ask.params['ws'] === undefined ? undefined : ask.world.catalog.workspace(ask.params['ws'])
  if (ask.params['ws'] !== undefined && workspace === undefined) throw new Refusal(404, 'Not Found', true)
  const { catalog } = ask.world
  const own = workspace === undefined ? undefined : catalog.find('service', name, { workspace: workspace.id })
  const service = own ?? catalog.find('service', name, { workspace: undefined })
  if (textAt(service?.xml, 'enabled') === 'false')
    throw new Refusal(404, `Service ${name.toUpperCase()} is disabled`, true)
}

function isShown(ask: Ask, item: Item): boolean {
  const { catalog } = ask.world
  const within = ask.params['ws'] === undefined ? undefined : catalog.workspace(ask.params['ws'])
  if (within !== undefined && item.workspace !== within.id) return false
  const about = isResource(item.kind) ? item : catalog.items.get(item.resource ?? '')
  return ['enabled', 'advertised'].every((field) => textAt(about?.xml, field) !== 'false')
}

function capabilities(ask: Ask, root: string, inside: string): string {
  const { catalog } = ask.world
  return `<?xml version="1.0" encoding="UTF-8"?><${root} updateSequence="${catalog.updateSequence}">${inside}</${root}>`
}

function xml(body: string, status = 200): Answer {
  return { status, type: 'text/xml;charset=UTF-8', body }
}

function exception(message: string, code: string, status = 200): Answer {
  const told = `<ServiceException code="${code}">${escapeXml(message)}</ServiceException>`
  return xml(`<?xml version="1.0" encoding="UTF-8"?><ServiceExceptionReport>${told}</ServiceExceptionReport>`, status)
}

/** A tile once made is a hit until it is dropped, whatever has become of its style. */
function tile(ask: Ask): Answer {
  const name = keys(ask).get('layers') ?? keys(ask).get('layer') ?? ''
  const layer = ask.world.tileLayers.find(name)
  if (layer === undefined)
    throw new Refusal(400, `400: Unknown layer ${name}. Check the logfiles, it may not have loaded properly.`)
  const format = keys(ask).get('format') ?? 'image/png'
  const formats = layer.xml.children.find((one) => one.name === 'mimeFormats')?.children.map((one) => one.text)
  if (formats?.includes(format) !== true)
    throw new Refusal(400, `400: Format ${format} is not supported by layer ${name}`)
  const [at, style] = [keys(ask).get('bbox') ?? keys(ask).get('tilecol') ?? '0', keys(ask).get('styles') ?? '']
  const file = `${tileFolder(name)}/${[at, style, format].join('_').replaceAll(/[^\w.-]/g, '_')}.tile`
  const kept = ask.world.files.read(file)
  if (kept !== undefined)
    return { status: 200, type: format, headers: { 'geowebcache-cache-result': 'HIT' }, body: kept }
  if (ask.world.reloading !== undefined) throw new Refusal(500, 'java.lang.NullPointerException', true)
  const image = draw(ask.world, [name], [style])
  if (image === undefined) throw new Refusal(400, `400: Unknown layer ${name}`)
  ask.world.files.write(file, image)
  return { status: 200, type: format, headers: { 'geowebcache-cache-result': 'MISS' }, body: image }
}
