import type { Ask } from '../http.ts'
import { Refusal } from '../http.ts'
import { flag } from './objects.ts'
import { parseXml, textAt, writeXml } from '../xml.ts'

export interface StyleFormat {
  readonly name: string
  readonly extension: string
  readonly types: readonly string[]
}

export const FORMATS: readonly StyleFormat[] = [
  { name: 'sld', extension: 'sld', types: ['application/vnd.ogc.sld+xml', 'application/vnd.ogc.se+xml'] },
  { name: 'css', extension: 'css', types: ['application/vnd.geoserver.geocss+css'] },
  { name: 'mbstyle', extension: 'mbstyle', types: ['application/vnd.geoserver.mbstyle+json'] },
  { name: 'ysld', extension: 'ysld', types: ['application/vnd.geoserver.ysld+yaml'] },
]

/** The body as it is written: with `?raw=true` byte by byte, otherwise read and written anew. @throws Refusal 400 */
export function bodyFor(ask: Ask): Buffer {
  if (flag(ask, 'raw') || !ask.type.includes('xml')) return ask.body
  try {
    return Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${writeXml(parseXml(ask.body.toString('utf8')))}`)
  } catch (error) {
    throw new Refusal(400, `Invalid style:${error instanceof Error ? error.message : String(error)}`)
  }
}

/** What an SLD calls itself. */
export function nameIn(body: Buffer): string | undefined {
  try {
    const root = parseXml(body.toString('utf8'))
    return textAt(root, 'NamedLayer', 'UserStyle', 'Name') ?? textAt(root, 'NamedLayer', 'Name')
  } catch {
    return undefined
  }
}

/** The version a body says it is in: SLD 1.0.0 or 1.1.0. */
export function versionOf(format: StyleFormat, body: Buffer): string {
  const said = /<(?:\w+:)?StyledLayerDescriptor[^>]*\sversion="([^"]+)"/.exec(body.toString('utf8'))?.[1]
  return format.name === 'sld' ? (said ?? '1.0.0') : '1.0.0'
}
