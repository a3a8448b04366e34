import type { ItemEffect } from '../../../src/core/tree.ts'

/** What a release holds: each item in the version that is the number of the release which last changed it. */
export interface Content {
  readonly number: number
  readonly items: ReadonlyMap<string, number>
  /** What it does to the items of the release before. */
  readonly effects: Readonly<Record<string, ItemEffect>>
  /** Items that cannot be loaded: on the node of that name, or `everywhere`. */
  readonly broken: ReadonlyMap<string, string>
}

export const ITEMS = ['a', 'b', 'c'] as const

export const FIRST: Content = {
  number: 1,
  items: new Map(ITEMS.map((item) => [item, 1])),
  effects: {},
  broken: new Map(),
}

export interface ContentChange {
  readonly effects: Readonly<Record<string, ItemEffect>>
  readonly broken?: ReadonlyMap<string, string>
}

/** The next release, after `base`. What is broken in it gets a version of its own, so that taking it back mends it. */
export function nextContent(number: number, base: Content, { effects, broken = new Map() }: ContentChange): Content {
  const items = new Map(base.items)
  for (const [item, effect] of Object.entries(effects)) {
    if (effect === 'removed') items.delete(item)
    else items.set(item, number)
  }
  const still = [...base.broken].filter(([item]) => effects[item] === undefined)
  return { number, items, effects, broken: new Map([...still, ...broken]) }
}

export function isBroken({ broken }: Content, item: string, node: string): boolean {
  const where = broken.get(item)
  return where === 'everywhere' || where === node
}
