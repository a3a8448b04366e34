import { readXml, type XmlElement } from './xml.ts'

/** What one message of a GeoServer says that it did. Names only: values may be passwords. */
export interface Change {
  readonly event: 'add' | 'modify' | 'remove'
  /** `<kind>/<workspace:name>`, such as `style/topp:roads`, as far as the message says it. */
  readonly object: string
  /** Of a modification. */
  readonly properties: readonly string[]
}

/** A whole graph of objects; a feature type with its layer and store has some hundreds. */
const LIMITS = { elements: 100_000, text: 256 } as const
const WRAPPING = { elements: 1 } as const
const PROPERTIES_MAX = 50
const HOPS_MAX = 8
/** Facts: GeoServer's classes of the services' settings are called so, followed by `InfoImpl`. */
const SERVICES = /^(?:WMS|WFS|WCS|WPS|CSW|WMTS|GWC)$/
const OTHER_KINDS: Readonly<Record<string, string>> = { geoserver: 'global', settings: 'workspace-settings' }

/**
 * Reads the body that ActiveMQ makes of GeoServer's message: XStream's XML, as a text within XML. Throws `BAD_REQUEST` for what
 * is no XML or over its limits.
 */
export function readChange(body: string): Change {
  const wrapped = readXml(body, { ...WRAPPING, text: body.length })
  const root = readXml(wrapped.text, LIMITS)
  const type = classOf(root)
  if (type === 'DocumentFile')
    return { event: 'modify', object: `file/${nameIn(root, 'resourceName')}`, properties: [] }
  const source = followed(child(root, 'source') ?? root)
  return {
    event: eventOf(type, child(root, 'eventType')?.text),
    object: source === undefined ? 'unknown' : objectOf(source),
    properties: (child(root, 'propertyNames')?.children ?? []).slice(0, PROPERTIES_MAX).map(({ text }) => text),
  }
}

function eventOf(type: string, said = ''): Change['event'] {
  const words = `${type} ${said}`
  if (/Remove|REMOVED/.test(words)) return 'remove'
  return /Add|ADDED/.test(words) ? 'add' : 'modify'
}

function objectOf(object: XmlElement): string {
  const type = classOf(object).replace(/(?:Info)?(?:Impl)?$/, '')
  if (SERVICES.test(type)) return `service/${qualified(workspaceOf(object), type)}`
  const kind = OTHER_KINDS[type.toLowerCase()] ?? type.toLowerCase()
  if (kind === 'global' || kind === 'logging') return kind
  if (kind === 'namespace') return `namespace/${nameIn(object, 'prefix')}`
  // A layer has the name of what it shows.
  const resource = kind === 'layer' ? followed(child(object, 'resource')) : undefined
  const named = resource ?? object
  const name = kind === 'workspace-settings' ? '' : nameIn(named, 'name')
  return `${kind}/${qualified(workspaceOf(named), name)}`
}

function qualified(workspace: string | undefined, name: string): string {
  return [workspace, name].filter((part) => part !== undefined && part !== '').join(':')
}

function workspaceOf(object: XmlElement): string | undefined {
  const workspace = followed(child(object, 'workspace'))
  if (workspace !== undefined) return nameIn(workspace, 'name')
  const namespace = followed(child(object, 'namespace'))
  if (namespace !== undefined) return nameIn(namespace, 'prefix')
  const store = followed(child(object, 'store'))
  return store === undefined ? undefined : workspaceOf(store)
}

function nameIn(object: XmlElement, field: string): string {
  return followed(child(object, field))?.text ?? '?'
}

function child(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((each) => each.name === name)
}

/** `org.geoserver.catalog.impl.StyleInfoImpl` is `StyleInfoImpl`; without a class, the element's name is one. */
function classOf({ name, attributes }: XmlElement): string {
  return (attributes['class'] ?? name).replace(/^.*[.$-]/, '')
}

/** What XStream wrote elsewhere in the document, or within a proxy of GeoServer's. Undefined where that leads nowhere. */
function followed(element: XmlElement | undefined): XmlElement | undefined {
  let found = element
  for (let hop = 0; hop < HOPS_MAX && found !== undefined; hop++) {
    const { reference } = found.attributes
    const proxied = child(found, 'handler')
    if (reference !== undefined) found = along(found, reference)
    else if (found.attributes['class'] === 'dynamic-proxy') found = proxied && child(proxied, 'proxyObject')
    else return found
  }
  return undefined
}

/** Facts: XStream's relative references are paths such as `../../namespace` or `../entry[2]/string`. */
function along(from: XmlElement, path: string): XmlElement | undefined {
  let place: XmlElement | undefined = from
  for (const step of path.split('/')) {
    const [, name, number = '1'] = /^([^[\]]+)(?:\[(\d{1,6})\])?$/.exec(step) ?? []
    place = step === '..' ? place?.parent : place?.children.filter((each) => each.name === name)[Number(number) - 1]
  }
  return place
}
