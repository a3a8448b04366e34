import type { Item } from './catalog.ts'
import { shapeOf } from './shape.ts'
import { child, element, type Element, removeChild, setChild, setText } from './xml.ts'

/** From this version on `xsi:nil` and JSON null take a field away. (GEOS-12060) */
const NIL_SINCE = 3

/**
 * What PUT does to an object: a field that is in the payload takes the place of the old one, whole; what was left out
 * stays; an empty element empties.
 */
export function merge(item: Item, payload: Element, version: string): void {
  for (const given of payload.children) {
    if (given.name === 'id' || given.name.startsWith('atom:')) continue
    const isNil = given.attributes['xsi:nil'] === 'true'
    if (isNil && Number.parseInt(version, 10) >= NIL_SINCE) removeChild(item.xml, given.name)
    else setChild(item.xml, isNil ? element(given.name, '') : given)
  }
  for (const [field, value] of Object.entries(shapeOf(item.kind, item.name).onUpdate)) {
    if (child(item.xml, field) === undefined) setText(item.xml, field, value)
  }
}
