import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { type Answer, type Ask, created, done, list, payload, Refusal, show } from '../http.ts'
import { fileOf, folder } from '../load.ts'
import { merge } from '../merge.ts'
import { pluginFor } from '../plugins.ts'
import { resolveReferences } from '../refs.ts'
import type { Routes } from '../router.ts'
import { element, type Element, setChild, setText, textAt } from '../xml.ts'
import { unzip } from '../zip.ts'
import { flag, mustBeIn, param, takenId } from './objects.ts'
import { replaceStyle } from './removal.ts'
import { bodyFor, FORMATS, nameIn, type StyleFormat, versionOf } from './style-formats.ts'
import { workspaceOf } from './workspaces.ts'

export const styles: Routes = { ...routesOf('/rest/styles'), ...routesOf('/rest/workspaces/:ws/styles') }

function routesOf(path: string): Routes {
  return {
    [`GET ${path}`]: listStyles,
    [`POST ${path}`]: addStyle,
    [`GET ${path}/:style`]: getStyle,
    [`PUT ${path}/:style`]: changeStyle,
    [`DELETE ${path}/:style`]: deleteStyle,
  }
}

function inside(ask: Ask): Item | undefined {
  return ask.params['ws'] === undefined ? undefined : workspaceOf(ask)
}

function styleOf(ask: Ask, name = param(ask, 'style')): Item {
  const workspace = inside(ask)
  const found = ask.world.catalog.find('style', name, { workspace: workspace?.id })
  if (found !== undefined) return found
  throw new Refusal(
    404,
    workspace === undefined ? `No such style: ${name}` : `No such style ${name} in workspace ${workspace.name}`,
  )
}

/** Where the body of a style lies. */
export function bodyFile(style: Item): string {
  return `${folder(style)}/${textAt(style.xml, 'filename') ?? ''}`
}

function listStyles(ask: Ask): Answer {
  const workspace = inside(ask)
  const items = ask.world.catalog.list('style', { workspace: workspace?.id })
  const within = workspace === undefined ? '' : `workspaces/${encodeURIComponent(workspace.name)}/`
  const rows = items
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name }) => ({ name, href: `${within}styles/${encodeURIComponent(name)}` }))
  return list(ask, 'styles', 'style', rows)
}

/** `x.sld` is the body of style x; `x`, `x.json`, `x.xml` what the catalog says of it. */
function getStyle(ask: Ask): Answer {
  const name = param(ask, 'style')
  const format = FORMATS.find(({ extension }) => name.endsWith(`.${extension}`))
  if (format === undefined) return show(ask, encode(ask, styleOf(ask)))
  const style = styleOf(ask, name.slice(0, -format.extension.length - 1))
  const body = ask.world.files.read(bodyFile(style))
  if (body === undefined) throw new Refusal(404, `No such style file: ${textAt(style.xml, 'filename')}`)
  return { status: 200, type: format.types[0] ?? '', body }
}

function addStyle(ask: Ask): Answer {
  if (ask.type === 'application/zip') return addZip(ask)
  const format = FORMATS.find(({ types }) => types.includes(ask.type))
  if (format !== undefined) {
    const name = ask.query.get('name') ?? nameIn(ask.body)
    if (name === undefined || name === '') throw new Refusal(400, 'Style must have a name.')
    return addWithBody(ask, name, format, bodyFor(ask))
  }
  const xml = payload(ask, 'style')
  const name = textAt(xml, 'name') ?? ask.query.get('name') ?? ''
  if (name === '') throw new Refusal(400, 'Style must have a name.')
  addEntry(ask, name, xml)
  return answer(ask, name)
}

function addWithBody(
  ask: Ask,
  name: string,
  format: StyleFormat,
  body: Buffer,
  graphics: readonly [string, Buffer][] = [],
): Answer {
  const filename = `${name}.${format.extension}`
  const xml = element('style', [
    element('name', name),
    element('format', format.name),
    element('languageVersion', [element('version', versionOf(format, body))]),
    element('filename', filename),
  ])
  const style = addEntry(ask, name, xml, [[filename, body], ...graphics])
  ask.world.styles.forgetBody(bodyFile(style))
  return answer(ask, name)
}

function answer(ask: Ask, name: string): Answer {
  const workspace = inside(ask)
  const within = workspace === undefined ? '' : `workspaces/${encodeURIComponent(workspace.name)}/`
  return created(ask, `${within}styles/${encodeURIComponent(name)}`, name)
}

function addEntry(ask: Ask, name: string, xml: Element, files: readonly [string, Buffer][] = []): Item {
  const { world } = ask
  const workspace = inside(ask)
  if (world.catalog.find('style', name, { workspace: workspace?.id }) !== undefined) {
    throw new Refusal(403, `Style named ${name} already exists`)
  }
  const missing = pluginFor('style', xml, world.modules)
  if (missing !== undefined) throw new Refusal(500, missing)
  resolveReferences(world.catalog, xml)
  mustBeIn(world, xml, workspace)
  const id = takenId(world, xml) ?? world.ids.next('StyleInfoImpl')
  setText(xml, 'id', id)
  if (workspace !== undefined) setChild(xml, element('workspace', [element('id', workspace.id)]))
  if (textAt(xml, 'filename') === undefined) setText(xml, 'filename', `${name}.sld`)
  const file = fileOf('style', name, workspace)
  for (const [path, content] of files) world.files.write(`${folder({ file })}/${path}`, content)
  return world.add({ kind: 'style', id, name, workspace: workspace?.id, file, xml })
}

/** One body, and the graphics that it uses beside it. */
function addZip(ask: Ask): Answer {
  const entries = unzip(ask.body)
  const body = entries.find(({ name }) => FORMATS.some(({ extension }) => name.endsWith(`.${extension}`)))
  const format = FORMATS.find(({ extension }) => body?.name.endsWith(`.${extension}`))
  if (body === undefined || format === undefined) throw new Refusal(400, 'No style file found in the package')
  const name = ask.query.get('name') ?? nameIn(body.content) ?? ''
  const graphics = entries.filter((one) => one !== body).map((one): [string, Buffer] => [one.name, one.content])
  return addWithBody(ask, name, format, body.content, graphics)
}

function changeStyle(ask: Ask): Answer {
  const { world } = ask
  const style = styleOf(ask)
  const isZip = ask.type === 'application/zip'
  const format = FORMATS.find(({ types }) => types.includes(ask.type))
  if (isZip) {
    const files = unzip(ask.body)
    for (const { name, content } of files) {
      const isBody = FORMATS.some(({ extension }) => name.endsWith(`.${extension}`))
      world.files.write(isBody ? bodyFile(style) : `${folder(style)}/${name}`, content)
    }
  } else if (format === undefined) {
    const xml = payload(ask, 'style')
    resolveReferences(world.catalog, xml)
    merge(style, xml, world.options.version)
    style.name = textAt(style.xml, 'name') ?? style.name
  } else {
    const body = bodyFor(ask)
    setText(style.xml, 'format', format.name)
    setChild(style.xml, element('languageVersion', [element('version', versionOf(format, body))]))
    if (!world.files.read(bodyFile(style))?.equals(body)) world.files.write(bodyFile(style), body)
  }
  world.save(style)
  renew(ask, style)
  return done
}

/** A change over REST is drawn at once, and drops the tiles that show it. */
function renew({ world }: Ask, style: Item): void {
  world.styles.forgetBody(bodyFile(style))
  for (const user of world.catalog.users(style)) world.tileLayers.truncate(world.catalog.qualified(user))
}

/** Purging keeps the body under another name, and the graphics as they are. (recorded) */
function deleteStyle(ask: Ask): Answer {
  const { world } = ask
  const style = styleOf(ask)
  const isUsed = world.catalog.users(style).some(({ kind }) => kind === 'layer' || kind === 'layerGroup')
  if (isUsed && !flag(ask, 'recurse')) throw new Refusal(403, '')
  if (isUsed) replaceStyle(world, style)
  const body = bodyFile(style)
  world.remove(style)
  if (flag(ask, 'purge') && world.files.kind(body) === 'file') {
    let backup = `${body}.bak`
    for (let number = 1; world.files.kind(backup) !== undefined; number++) backup = `${body}.bak.${number}`
    world.files.move(body, backup)
  }
  return done
}
