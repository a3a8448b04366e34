import { type Answer, type Ask, json, Refusal, text } from '../http.ts'
import { catalogDate } from '../dates.ts'
import type { Routes } from '../router.ts'
import { param } from './objects.ts'

const TYPES: Readonly<Record<string, string>> = {
  xml: 'application/xml',
  sld: 'text/xml',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  gif: 'image/gif',
  txt: 'text/plain',
  json: 'application/json',
  html: 'text/html',
}

/** Any file of the data directory, keystore and all. Not behind the lock of the configuration. */
export const resource: Routes = {
  'GET /rest/resource': get,
  'GET /rest/resource/*path': get,
  'PUT /rest/resource/*path': put,
  'DELETE /rest/resource/*path': remove,
}

function pathOf(ask: Ask): string {
  const path = decodeURIComponent(ask.params['path'] ?? '').replaceAll(/^\/+|\/+$/g, '')
  if (path.split('/').includes('..')) throw new Refusal(500, `Contains invalid '..' path: ${path}`, true)
  return path
}

function get(ask: Ask): Answer {
  const path = pathOf(ask)
  const { files } = ask.world
  const kind = path === '' ? 'directory' : files.kind(path)
  if (ask.query.get('operation') === 'metadata') return metadata(ask, path, kind)
  if (kind === undefined) throw new Refusal(404, 'Undefined resource path.')
  if (kind === 'directory') return listing(ask, path)
  const name = path.slice(path.lastIndexOf('/') + 1)
  const headers = { ...headersFor(ask, path, 'resource'), 'content-disposition': `attachment; filename="${name}"` }
  return { status: 200, type: typeOf(name), headers, body: files.read(path) ?? '' }
}

function typeOf(name: string): string {
  return TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
}

function href({ base }: Ask, path: string): string {
  return `${base}/rest/resource/${path.split('/').map(encodeURIComponent).join('/')}`
}

function headersFor(ask: Ask, path: string, type: string): Record<string, string> {
  const modified = new Date(ask.world.files.modifiedAtMs(path)).toUTCString()
  const parent = path === '' ? {} : { 'resource-parent': href(ask, parentOf(path)) }
  return { location: href(ask, path), 'last-modified': modified, 'resource-type': type, ...parent }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function about(ask: Ask, path: string) {
  const parent = parentOf(path)
  const link = { href: href(ask, parent), rel: 'alternate', type: 'application/json' }
  return {
    name: path.slice(path.lastIndexOf('/') + 1),
    ...(path === '' ? {} : { parent: { path: parent, link } }),
    lastModified: catalogDate(ask.world.files.modifiedAtMs(path)),
  }
}

function metadata(ask: Ask, path: string, kind: 'file' | 'directory' | undefined): Answer {
  const type = kind === 'file' ? 'resource' : (kind ?? 'undefined')
  return json({ ResourceMetadata: { ...about(ask, path), type } })
}

function listing(ask: Ask, path: string): Answer {
  const { files } = ask.world
  const child = files.list(path).map((name) => {
    const at = path === '' ? name : `${path}/${name}`
    const type = files.kind(at) === 'directory' ? 'application/json' : typeOf(name)
    return { name, link: { href: href(ask, at), rel: 'alternate', type } }
  })
  const body = { ResourceDirectory: { ...about(ask, path), children: child.length === 0 ? '' : { child } } }
  return { ...json(body), headers: headersFor(ask, path, 'directory') }
}

/** A form's body is taken for parameters, so what is left to write is nothing. (recorded) */
function put(ask: Ask): Answer {
  const path = pathOf(ask)
  const { files } = ask.world
  const operation = ask.query.get('operation') ?? 'default'
  const existed = files.kind(path) !== undefined
  if (files.kind(path) === 'directory') throw new Refusal(405, 'Attempting to write data to a directory.')
  if (operation === 'move' || operation === 'copy') {
    const from = ask.body.toString('utf8').replace(/^\//, '')
    if (from.split('/').includes('..')) throw new Refusal(500, `Contains invalid '..' path: ${from}`, true)
    if (files.kind(from) === undefined) throw new Refusal(404, `Unable to locate '${from}' resource.`)
    files[operation](from, path)
  } else {
    files.write(path, ask.type === 'application/x-www-form-urlencoded' ? '' : ask.body)
  }
  return text(existed ? 200 : 201)
}

function remove(ask: Ask): Answer {
  const path = pathOf(ask)
  if (ask.world.files.kind(path) === undefined) throw new Refusal(404, `Resource '${param(ask, 'path')}' not found`)
  ask.world.files.remove(path)
  return text(200)
}
