import { posix } from 'node:path'
import { FlotillaError } from '../../core/errors.ts'
import { TEMPORARY_PREFIX } from '../../lib/atomic-file.ts'
import { sha256 } from '../../lib/hash.ts'
import { GENERATIONS } from '../../lib/inside.ts'
import { keyPath } from '../../lib/safe-path.ts'

/*
 * Below the root of a tree:
 *
 *   data/icon -> ../.flotilla-generations/data%2Ficon/7-ab12…     the place of a group, a link to what is current
 *   .flotilla-generations/data%2Ficon/6-99fe…                     an older generation, for those who still read it
 *   .flotilla-generations/data%2Ficon/8-77c0…                     staged: whole, not visible yet
 *   .flotilla-generations/data%2Ficon/.flotilla-tmp-next          one that is being written
 *   .flotilla-generations/data%2Ficon/.flotilla-tmp-old-5-…       one that is being removed
 *   data/.flotilla-tmp-link-…                                     a link on its way to its place
 */

export const NEXT = `${TEMPORARY_PREFIX}next`
export const OLD_PREFIX = `${TEMPORARY_PREFIX}old-`
/** What lay in the place before the first generation. */
export const FORMER_ID = 'folder'

const NAME_BYTES_MAX = 255
const ID = /^[A-Za-z0-9_-]{1,128}$/
const GENERATION = /^(0|[1-9]\d{0,14})-([A-Za-z0-9_-]{1,128})$/

export interface Generation {
  /** Grows with each that is staged in the group; 0 for the folder that was there before. */
  readonly number: number
  /** As it was sealed with. */
  readonly id: string
  /** Its folder, from the root of the tree. */
  readonly folder: string
}

export interface GroupLayout {
  /** Path of the place from the root. */
  readonly place: string
  /** The folder that the place lies in; '' is the root. */
  readonly above: string
  readonly name: string
  /** Where the generations lie. */
  readonly folder: string
  /** The name, beside the place, of what is on its way there. */
  readonly onItsWay: string
}

/** `group` is the key of the folder that is published as a whole. */
export function layoutOf(group: string): GroupLayout {
  const place = keyPath(group)
  const escaped = encodeURIComponent(place)
  const above = posix.dirname(place)
  return {
    place,
    above: above === '.' ? '' : above,
    name: posix.basename(place),
    folder: `${GENERATIONS}/${escaped.length <= NAME_BYTES_MAX ? escaped : sha256(place)}`,
    onItsWay: `${TEMPORARY_PREFIX}link-${sha256(place).slice(0, 24)}`,
  }
}

export function generationName(number: number, id: string): string {
  if (ID.test(id)) return `${number}-${id}`
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(id.slice(0, 200))} is no id of a generation`)
}

export function generationOf(layout: GroupLayout, name: string): Generation | undefined {
  const match = GENERATION.exec(name)
  return match === null
    ? undefined
    : { number: Number(match[1]), id: match[2] ?? '', folder: `${layout.folder}/${name}` }
}

/** What a link in the place says; from there, so that the tree can be moved as a whole. */
export function linkTo(layout: GroupLayout, { folder }: Generation): string {
  return posix.relative(`/${layout.above}`, `/${folder}`)
}

export function linkedFrom(layout: GroupLayout, link: string): Generation | undefined {
  const target = posix.join(layout.above, link)
  return posix.dirname(target) === layout.folder ? generationOf(layout, posix.basename(target)) : undefined
}
