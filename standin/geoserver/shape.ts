import type { Kind, Shape } from './kinds.ts'
import { SHAPES } from './kinds.ts'
import { SERVICE_SHAPES, type Service } from './services.ts'
import { child, type Element, element, removeChild, setText } from './xml.ts'

export function shapeOf(kind: Kind, name: string): Shape {
  return kind === 'service' ? SERVICE_SHAPES[name as Service] : SHAPES[kind]
}

/** Makes an element what the Java object would be: every primitive field there, in the order of the class. */
export function complete(kind: Kind, name: string, xml: Element): Element {
  const shape = shapeOf(kind, name)
  for (const [field, value] of Object.entries(shape.primitives)) {
    if (child(xml, field) === undefined) setText(xml, field, value)
  }
  if (kind === 'style' && child(xml, 'languageVersion') === undefined) {
    xml.children.push(element('languageVersion', [element('version', '1.0.0')]))
  }
  // Layers had such a field once: it is read and forgotten.
  if (kind === 'layer') removeChild(xml, 'enabled')
  if (kind === 'layer' && child(xml, 'attribution') === undefined) xml.children.push(noLogo())
  return order(shape, xml)
}

export function order(shape: Shape, xml: Element): Element {
  const rank = (one: Element): number => {
    const at = shape.fields.indexOf(one.name)
    return at < 0 ? shape.fields.length : at
  }
  xml.children = xml.children.toSorted((left, right) => rank(left) - rank(right))
  return xml
}

function noLogo(): Element {
  return element('attribution', [element('logoWidth', '0'), element('logoHeight', '0')])
}
