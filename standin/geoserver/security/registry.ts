import { child, element, type Element, parseXml, writeXml } from '../xml.ts'
import type { World } from '../world.ts'
import { ROLES, USERS } from '../seed.ts'

const HEADER = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'

export function readRoles(world: World): Element {
  return parseXml(world.files.text(ROLES) ?? '')
}

export function readUsers(world: World): Element {
  return parseXml(world.files.text(USERS) ?? '')
}

export function writeRoles(world: World, xml: Element): void {
  write(world, ROLES, xml)
}

export function writeUsers(world: World, xml: Element): void {
  write(world, USERS, xml)
}

/** As Java's Transformer indents: four blanks, a line break at the end. */
function write(world: World, file: string, xml: Element): void {
  const wide = writeXml(emptyClosed(xml)).replaceAll(/^( +)</gm, (_, blanks: string) => `${blanks}${blanks}<`)
  world.files.write(file, `${HEADER}${wide}\n`)
  world.users.forget()
}

function emptyClosed(node: Element): Element {
  const children = node.children.map(emptyClosed)
  return { ...node, children, text: node.text === '' ? undefined : node.text }
}

/** The children of a part such as `roleList`; the part is made when it is missing. */
export function part(xml: Element, name: string): Element {
  const found = child(xml, name)
  if (found !== undefined) return found
  const made = element(name)
  xml.children.push(made)
  return made
}
