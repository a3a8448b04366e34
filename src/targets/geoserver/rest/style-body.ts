/** Content types of what a style says. Source: GeoServer's REST reference, "Styles": SLD 1.1 has a type of its own. */
export function bodyType(path: string, content: Uint8Array): string {
  const extension = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? ''
  if (extension === 'sld') return isSe(content) ? 'application/vnd.ogc.se+xml' : 'application/vnd.ogc.sld+xml'
  return TYPES[extension] ?? 'application/vnd.ogc.sld+xml'
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'application/vnd.geoserver.geocss+css',
  json: 'application/vnd.geoserver.mbstyle+json',
  mbstyle: 'application/vnd.geoserver.mbstyle+json',
  ysld: 'application/vnd.geoserver.ysld+yaml',
  yaml: 'application/vnd.geoserver.ysld+yaml',
  yml: 'application/vnd.geoserver.ysld+yaml',
}

/** Bytes in which the root element stands, after a comment if need be. */
const HEAD = 4096

function isSe(content: Uint8Array): boolean {
  const head = Buffer.from(content.buffer, content.byteOffset, Math.min(content.byteLength, HEAD)).toString('latin1')
  return /<(?:\w+:)?StyledLayerDescriptor[^>]*\sversion\s*=\s*["']1\.1/.test(head)
}
