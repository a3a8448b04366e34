import type { Item } from '../catalog.ts'
import { type Answer, type Ask, created, payload, Refusal } from '../http.ts'
import { fileOf, folder } from '../places.ts'
import { pluginFor } from '../plugins.ts'
import { resolveReferences } from '../refs.ts'
import { element, type Element, setChild, setText, textAt } from '../xml.ts'
import { unzip } from '../zip.ts'
import { mustBeIn, takenId } from './objects.ts'
import { bodyFor, FORMATS, nameIn, type StyleFormat, versionOf } from './style-formats.ts'
import { inside, placeIn } from './workspaces.ts'

/** Where the body of a style lies. */
export function bodyFile(style: Item): string {
  return `${folder(style)}/${textAt(style.xml, 'filename') ?? ''}`
}

export function addStyle(ask: Ask): Answer {
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
  return created(ask, placeIn(workspace, 'styles', name), name)
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
