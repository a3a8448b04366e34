import type { ItemChange } from '../core/tree.ts'
import { FlotillaError } from '../core/errors.ts'
import type { ReleaseRecord } from '../core/release.ts'
import { clean } from '../lib/clean.ts'
import type { Output } from './output.ts'

const UNITS: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
]

/** `2 h ago`; a time in the near future, by clocks that differ, is `just now`. */
export function ago(atMs: number, nowMs: number): string {
  const passedMs = nowMs - atMs
  return passedMs < 1000 ? 'just now' : `${span(passedMs)} ago`
}

/** `15 min`: in the largest unit that fits, to the nearest. */
export function span(ms: number): string {
  const [unitMs, unit] = UNITS.find(([size]) => ms >= size * 0.95) ?? [1000, 's']
  return `${Math.round(ms / unitMs)} ${unit}`
}

/** `r12`, `R12` or `12`. Throws `USAGE`. */
export function parseRelease(text: string): number {
  const digits = /^r?(\d{1,9})$/i.exec(text)?.[1]
  if (digits !== undefined && Number(digits) > 0) return Number(digits)
  throw new FlotillaError('USAGE', `"${text}" is not a release`, {
    hint: 'A release is written r12. See them with `flotilla history`.',
  })
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** `r12 by anna, 2 h ago: better title`. */
export function releaseLine(release: ReleaseRecord, nowMs: number): string {
  const message = release.message === '' ? '' : `: ${release.message}`
  return clean(`r${release.number} by ${release.author}, ${ago(release.atMs, nowMs)}${message}`)
}

type Effect = ItemChange['effect'] | 'on' | 'off'

const EFFECTS: Readonly<Record<Effect, { sign: string; name: string; words: string }>> = {
  added: { sign: '+', name: 'new', words: 'new' },
  on: { sign: '+', name: 'switched on', words: 'switched on' },
  removed: { sign: '-', name: 'removed', words: 'removed: unloaded everywhere' },
  off: { sign: '-', name: 'switched off', words: 'switched off: unloaded everywhere' },
  soft: {
    sign: '~',
    name: 'soft reload',
    words: 'changed: soft reload, the old version is served meanwhile',
  },
  hard: {
    sign: '!',
    name: 'hard reload',
    words: 'changed: hard reload, away until its data files are read again',
  },
}

const ACTIVE = 'active'

/** Of a catalog, whose items are objects and files. */
const OF_CATALOG: Readonly<Partial<typeof EFFECTS>> = {
  removed: { sign: '-', name: 'removed', words: 'removed everywhere' },
  soft: { sign: '~', name: 'changed live', words: 'changed while GeoServer goes on serving' },
  hard: { sign: '!', name: 'changed by a reload', words: 'changed: nothing but a reload of the catalog brings it' },
}

/** The id of an item of a catalog has a kind and a slash before its name; no dataset has a slash in its id. */
export function isOfCatalog({ id }: Pick<ItemChange, 'id'>): boolean {
  return id.includes('/')
}

function wordsOf(change: ItemChange): (typeof EFFECTS)[Effect] {
  const effect = effectOf(change)
  return (isOfCatalog(change) ? OF_CATALOG[effect] : undefined) ?? EFFECTS[effect]
}

/** What is switched on or off is neither new nor removed: its definition is there before and after. */
function effectOf({ effect, details }: ItemChange): Effect {
  if (!details.includes(ACTIVE)) return effect
  return effect === 'added' ? 'on' : effect === 'removed' ? 'off' : effect
}

/** ` (title, fileDir)`, where there is more than the effect says. */
function detailsOf(change: ItemChange): string {
  const effect = effectOf(change)
  const said = effect === 'on' || effect === 'off'
  const details = change.details.filter((detail) => !said || detail !== ACTIVE)
  return details.length === 0 ? '' : ` (${details.join(', ')})`
}

/** `soft reload (title)`. */
export function changeText(change: ItemChange): string {
  return wordsOf(change).name + detailsOf(change)
}

const LISTED_MAX = 50

/** What a change does to the running applications, dataset by dataset, in words. */
export function printChanges(changes: readonly ItemChange[], output: Output): void {
  for (const change of changes.slice(0, LISTED_MAX)) {
    const { sign, words } = wordsOf(change)
    output.print(clean(`  ${sign} ${change.id}  ${words}${detailsOf(change)}`))
  }
  if (changes.length > LISTED_MAX) output.print(`  … and ${changes.length - LISTED_MAX} more; --json has all`)
}

/** `2 new, 1 removed, 1 switched off, 3 soft reloads, 1 hard reload`. */
export function countChanges(changes: readonly ItemChange[]): string {
  const count = (effect: Effect): number => changes.filter((one) => effectOf(one) === effect).length
  const isCatalog = changes.some(isOfCatalog)
  const soft = isCatalog ? (['changed live', 'changed live'] as const) : (['soft reload', 'soft reloads'] as const)
  const hard = isCatalog ? (['by a reload', 'by a reload'] as const) : (['hard reload', 'hard reloads'] as const)
  const parts = [
    [count('added'), 'new', 'new'],
    [count('removed'), 'removed', 'removed'],
    [count('on'), 'switched on', 'switched on'],
    [count('off'), 'switched off', 'switched off'],
    [count('soft'), ...soft],
    [count('hard'), ...hard],
  ] as const
  const told = parts.filter(([number]) => number > 0).map(([number, one, many]) => plural(number, one, many))
  return told.length === 0 ? 'no dataset changes' : told.join(', ')
}
