import type { Item } from '../catalog.ts'
import { encode } from '../encode.ts'
import { type Answer, type Ask, done, list, payload, Refusal, show } from '../http.ts'
import { merge } from '../merge.ts'
import { folder } from '../places.ts'
import { resolveReferences } from '../refs.ts'
import type { Routes } from '../router.ts'
import { element, setChild, setText, textAt } from '../xml.ts'
import { unzip } from '../zip.ts'
import { addStyle, bodyFile } from './add-style.ts'
import { flag, param } from './objects.ts'
import { replaceStyle } from './removal.ts'
import { bodyFor, FORMATS, versionOf } from './style-formats.ts'
import { inside, placeIn } from './workspaces.ts'

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

function styleOf(ask: Ask, name = param(ask, 'style')): Item {
  const workspace = inside(ask)
  const found = ask.world.catalog.find('style', name, { workspace: workspace?.id })
  if (found !== undefined) return found
  throw new Refusal(
    404,
    workspace === undefined ? `No such style: ${name}` : `No such style ${name} in workspace ${workspace.name}`,
  )
}

function listStyles(ask: Ask): Answer {
  const workspace = inside(ask)
  const items = ask.world.catalog.list('style', { workspace: workspace?.id })
  const rows = items
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name }) => ({ name, href: placeIn(workspace, 'styles', name) }))
  return list(ask, 'styles', 'style', rows)
}

/** `x.sld` is the body of style x; `x`, `x.json`, `x.xml` what the catalog says of it. */
function getStyle(ask: Ask): Answer {
  const name = param(ask, 'style')
  const named = FORMATS.find(({ extension }) => name.endsWith(`.${extension}`))
  const format = named ?? FORMATS.find(({ types }) => types.some((type) => ask.accept.includes(type)))
  if (format === undefined) return show(ask, encode(ask, styleOf(ask)))
  const style = styleOf(ask, named === undefined ? name : name.slice(0, -named.extension.length - 1))
  const body = ask.world.files.read(bodyFile(style))
  if (body === undefined) throw new Refusal(404, `No such style file: ${textAt(style.xml, 'filename')}`)
  return { status: 200, type: format.types[0] ?? '', body }
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
