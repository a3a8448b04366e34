import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { type GeoServer, startGeoServer } from './geoserver.ts'
import type { GeoServerOptions } from './options.ts'

const GIVE_UP_MS = 15_000
const AUTHORIZATION = `Basic ${Buffer.from('admin:geoserver').toString('base64')}`

export const SLD = 'application/vnd.ogc.sld+xml'

/** A style with a graphic, whose title tells one version from another. */
export function sld(title: string, graphic = 'icon.svg'): string {
  return `<StyledLayerDescriptor version="1.0.0" xmlns:xlink="http://www.w3.org/1999/xlink"><NamedLayer><Name>s</Name>
<Title>${title}</Title><OnlineResource xlink:href="${graphic}"/></NamedLayer></StyledLayerDescriptor>`
}

/** Waits for a condition, however busy the machine is; fails with `what` when it never comes true. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + GIVE_UP_MS
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${what}`)
    await delay(5)
  }
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** A stand-in on a data directory of its own, quick enough for tests, gone when the test ends. */
export class Node {
  readonly directory: string
  readonly geoserver: GeoServer

  constructor(directory: string, geoserver: GeoServer) {
    this.directory = directory
    this.geoserver = geoserver
  }

  static folder(): string {
    const directory = mkdtempSync(join(tmpdir(), 'standin-geoserver-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    return directory
  }

  static async start(options: Partial<GeoServerOptions> = {}): Promise<Node> {
    const dataDirectory = options.dataDirectory ?? Node.folder()
    const geoserver = await startGeoServer({
      reloadMs: 1,
      styleMs: 1,
      fileMs: 1,
      slowMs: 20,
      ...options,
      dataDirectory,
    })
    onTestFinished(() => geoserver.kill())
    return new Node(dataDirectory, geoserver)
  }

  /** A request as administrator; a body that is an object is sent as JSON. */
  async ask(
    method: string,
    path: string,
    body?: string | object | Uint8Array<ArrayBuffer>,
    type = 'application/xml',
  ): Promise<Reply> {
    const isBytes = typeof body === 'string' || body instanceof Uint8Array
    const content = body === undefined || isBytes ? body : JSON.stringify(body)
    const contentType = isBytes ? type : 'application/json'
    const response = await fetch(`${this.geoserver.url}${path}`, {
      method,
      headers: { authorization: AUTHORIZATION, ...(content === undefined ? {} : { 'content-type': contentType }) },
      ...(content === undefined ? {} : { body: content }),
    })
    return { status: response.status, headers: response.headers, body: await response.text() }
  }

  /** The same for what must succeed. */
  async must(method: string, path: string, body?: string | object, type?: string): Promise<string> {
    const reply = await this.ask(method, path, body, type)
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.body}`)
    return reply.body
  }

  read(path: string): string {
    return readFileSync(join(this.directory, path), 'utf8')
  }

  write(path: string, content: string): void {
    mkdirSync(dirname(join(this.directory, path)), { recursive: true })
    writeFileSync(join(this.directory, path), content)
  }

  /** Workspace `w` with style `s` and its graphic, store `d` and layer `w:l` that is drawn with it. */
  async furnish(): Promise<void> {
    await this.must('POST', '/rest/workspaces', { workspace: { name: 'w' } })
    this.write('workspaces/w/styles/icon.svg', '<svg>one</svg>')
    await this.must('POST', '/rest/workspaces/w/styles?name=s&raw=true', sld('first'), SLD)
    await this.must('POST', '/rest/workspaces/w/datastores', { dataStore: { name: 'd' } })
    await this.must('POST', '/rest/workspaces/w/datastores/d/featuretypes', { featureType: { name: 'l' } })
    await this.must('PUT', '/rest/layers/w:l', { layer: { defaultStyle: { name: 's', workspace: 'w' } } })
  }

  /** What a map of a layer looks like: equal texts stand for equal images. */
  async map(layer = 'w:l'): Promise<string> {
    const response = await fetch(`${this.geoserver.url}/wms?request=GetMap&layers=${layer}&styles=`)
    return `${response.status} ${Buffer.from(await response.arrayBuffer()).toString('hex')}`
  }

  async tile(layer = 'w:l'): Promise<{ readonly result: string | null; readonly image: string }> {
    const response = await fetch(`${this.geoserver.url}/gwc/service/wms?layers=${layer}&bbox=0,0,1,1`)
    const image = `${response.status} ${Buffer.from(await response.arrayBuffer()).toString('hex')}`
    return { result: response.headers.get('geowebcache-cache-result'), image }
  }
}
