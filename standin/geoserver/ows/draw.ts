import { createHash } from 'node:crypto'
import type { Item } from '../catalog.ts'
import { folder } from '../places.ts'
import { bodyFile } from '../rest/add-style.ts'
import type { World } from '../world.ts'
import { child, textAt } from '../xml.ts'

const PNG = Buffer.from('89504e470d0a1a0a', 'hex')

/**
 * The image of layers and groups: a PNG signature and a digest of all that would decide what is drawn: layer, style
 * body and graphics, each as the caches have it. Equal digests stand for equal images.
 */
export function draw(world: World, names: readonly string[], styles: readonly string[]): Buffer | undefined {
  // Projections of the user are read once, like graphics.
  const projections = world.styles.graphic('user_projections/epsg.properties')
  const hash = createHash('sha256').update(projections ?? '')
  for (const [at, name] of names.entries()) {
    const item = world.catalog.byQualified('layer', name) ?? world.catalog.byQualified('layerGroup', name)
    if (item === undefined) return undefined
    const asked = styles[at] ?? ''
    for (const layer of layersIn(world, item)) paint(world, hash, layer, asked)
  }
  return Buffer.concat([PNG, hash.digest()])
}

function layersIn(world: World, item: Item): readonly Item[] {
  if (item.kind === 'layer') return [item]
  const members = child(item.xml, 'publishables')?.children ?? []
  return members.flatMap((member) => {
    const inside = world.catalog.items.get(textAt(member, 'id') ?? '')
    return inside === undefined ? [] : layersIn(world, inside)
  })
}

function paint(world: World, hash: ReturnType<typeof createHash>, layer: Item, asked: string): void {
  const named = asked === '' ? undefined : world.catalog.byQualified('style', asked)
  const style = named ?? world.catalog.items.get(textAt(child(layer.xml, 'defaultStyle'), 'id') ?? '')
  hash.update(`${world.catalog.qualified(layer)}\n`)
  if (style === undefined) return
  const body = world.styles.body(bodyFile(style))
  hash.update(body ?? '')
  for (const [, href = ''] of (body?.toString('utf8') ?? '').matchAll(/xlink:href="([^":]+)"/g)) {
    if (!href.includes('..')) hash.update(world.styles.graphic(`${folder(style)}/${href}`) ?? 'missing')
  }
}
