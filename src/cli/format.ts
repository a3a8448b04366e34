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

const EFFECTS: Readonly<Record<ItemChange['effect'], { sign: string; words: string }>> = {
  added: { sign: '+', words: 'new' },
  removed: { sign: '-', words: 'removed: unloaded everywhere' },
  soft: { sign: '~', words: 'changed: soft reload, the old version is served meanwhile' },
  hard: { sign: '!', words: 'changed: hard reload, away until its data files are read again' },
}

const NAMES: Readonly<Record<ItemChange['effect'], string>> = {
  added: 'new',
  removed: 'removed',
  soft: 'soft reload',
  hard: 'hard reload',
}

/** `soft reload (title)`. */
export function changeText({ effect, details }: ItemChange): string {
  return details.length === 0 ? NAMES[effect] : `${NAMES[effect]} (${details.join(', ')})`
}

const LISTED_MAX = 50

/** What a change does to the running applications, dataset by dataset, in words. */
export function printChanges(changes: readonly ItemChange[], output: Output): void {
  for (const change of changes.slice(0, LISTED_MAX)) {
    const { sign, words } = EFFECTS[change.effect]
    const details = change.details.length === 0 ? '' : ` (${change.details.join(', ')})`
    output.print(clean(`  ${sign} ${change.id}  ${words}${details}`))
  }
  if (changes.length > LISTED_MAX) output.print(`  … and ${changes.length - LISTED_MAX} more; --json has all`)
}

/** `2 new, 1 removed, 3 soft reloads, 1 hard reload`. */
export function countChanges(changes: readonly ItemChange[]): string {
  const count = (effect: ItemChange['effect']): number => changes.filter((one) => one.effect === effect).length
  const parts = [
    [count('added'), 'new', 'new'],
    [count('removed'), 'removed', 'removed'],
    [count('soft'), 'soft reload', 'soft reloads'],
    [count('hard'), 'hard reload', 'hard reloads'],
  ] as const
  const told = parts.filter(([number]) => number > 0).map(([number, one, many]) => plural(number, one, many))
  return told.length === 0 ? 'no dataset changes' : told.join(', ')
}
