import type { Item } from '../catalog.ts'
import type { Ask } from '../http.ts'
import { Refusal } from '../http.ts'
import type { World } from '../world.ts'
import { type Element, textAt } from '../xml.ts'

/** The id a payload asks for: POST honours it. @throws Refusal when another object has it. */
export function takenId(world: World, xml: Element): string | undefined {
  const id = textAt(xml, 'id')
  if (id === undefined || id === '') return undefined
  if (world.catalog.items.has(id)) throw new Refusal(500, `An object with id ${id} already exists`)
  return id
}

/** The workspace of the path is the object's; a payload that names another is refused. */
export function mustBeIn(world: World, xml: Element, workspace: Item | undefined): void {
  const named = textAt(xml, 'workspace', 'id')
  if (named === undefined || named === workspace?.id) return
  const given = world.catalog.items.get(named)?.name ?? named
  throw new Refusal(403, `Expected workspace ${workspace?.name} but client specified ${given}`)
}

export function param(ask: Ask, name: string): string {
  return ask.params[name] ?? ''
}

/** Whether `?name=true` was asked. */
export function flag(ask: Ask, name: string): boolean {
  return ask.query.get(name) === 'true'
}
