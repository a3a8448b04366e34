import { accessSync, constants, lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { posix } from 'node:path'
import { folderOf } from '../core/files/entry.ts'
import { isWhole } from '../core/files/etag.ts'
import type { FolderWhy } from '../core/files/peer-look.ts'
import { isSafePath, keyPath } from '../lib/safe-path.ts'
import { isHidden, toStat } from './index/folder.ts'
import { Sight } from './index/sight.ts'

export interface WhyOptions {
  readonly root: string
  readonly key: string
  readonly nowMs: number
  /** For how long a file must have been left alone before it is taken for whole. */
  readonly settleMs: number
}

/** For how long a file must have been left alone to be taken for whole, unless it came by a rename. */
export const SETTLE_MS = 100
const NAMES_MAX = 10_000

/** Looks at every part of the way to a file, for a person: may wait for the file system. */
export function whyFile({ root, key, nowMs, settleMs }: WhyOptions): FolderWhy {
  let path: string
  try {
    path = keyPath(key)
  } catch {
    return { state: 'no-key', message: 'no file can be called so: a key is 1 to 1,024 bytes of valid Unicode' }
  }
  const sight = sightOf(root)
  if (sight === undefined) return { state: 'unreadable', message: `the folder ${root} cannot be reached` }
  const hidden = hiddenPart(sight, key)
  if (hidden !== undefined) return hidden
  const parts = path.split('/')
  for (const index of parts.keys()) {
    const here = parts.slice(0, index + 1).join('/')
    const found = look(sight, here, index === parts.length - 1, { nowMs, settleMs })
    if (found !== undefined) return found
  }
  return { state: 'absent', message: `there is no ${path}` }
}

type Settle = Pick<WhyOptions, 'nowMs' | 'settleMs'>

/** Undefined where the way goes on. */
function look(sight: Sight, path: string, isLast: boolean, settle: Settle): FolderWhy | undefined {
  const absolute = sight.absolute(sight.real(path))
  let stats: Stats
  try {
    stats = lstatSync(absolute)
    if (stats.isSymbolicLink()) {
      const link = readlinkSync(absolute)
      const generation = sight.generation(path, link)
      if (generation.kind !== 'generation') {
        return { state: 'link', message: `${path} is a link, and links are not followed: copy what it leads to` }
      }
      sight.follow(path, generation.real)
      const found = lstatSync(sight.absolute(generation.real), { throwIfNoEntry: false })
      if (found === undefined) {
        return { state: 'link', message: `${path} is a link to a generation that is not there: ${link}` }
      }
      stats = found
    }
  } catch (error) {
    return missing(sight, path, error as NodeJS.ErrnoException)
  }
  if (!isLast) {
    return stats.isDirectory()
      ? undefined
      : { state: 'in-the-way', message: `${path} is a file, so nothing is below it` }
  }
  return judge(path, stats, sight.absolute(sight.real(path)), settle)
}

/** A key that is called like something hidden is that of another file, whose name is escaped. */
function hiddenPart(sight: Sight, key: string): FolderWhy | undefined {
  const name = isSafePath(key) ? key.split('/').find((part) => isHidden(part)) : undefined
  if (name === undefined || lstatSync(sight.absolute(key), { throwIfNoEntry: false }) === undefined) return undefined
  const why = name.endsWith('~') ? 'names that end with ~ are of files under way' : 'such names are Flotilla’s own'
  return { state: 'hidden', message: `${key} is hidden: ${why}` }
}

function judge(path: string, stats: Stats, absolute: string, { nowMs, settleMs }: Settle): FolderWhy {
  if (stats.isDirectory()) return { state: 'folder', message: `${path} is a folder; its files are served below it` }
  if (!stats.isFile()) return { state: 'no-file', message: `${path} is no regular file: a pipe, socket or device` }
  try {
    accessSync(absolute, constants.R_OK)
  } catch {
    return { state: 'unreadable', message: `${path} cannot be read by the user of the file service` }
  }
  if (!isWhole(toStat(stats), nowMs, settleMs)) {
    return { state: 'being-written', message: `${path} was written to only just now: it may not be whole yet` }
  }
  return { state: 'there', message: `${path} is there, ${stats.size} bytes` }
}

function missing(sight: Sight, path: string, { code, message }: NodeJS.ErrnoException): FolderWhy {
  if (code === 'EACCES' || code === 'EPERM') {
    return { state: 'unreadable', message: `the folder of ${path} cannot be entered by the user of the file service` }
  }
  if (code !== 'ENOENT' && code !== 'ENOTDIR') return { state: 'unreadable', message: `${path}: ${message}` }
  const near = similar(sight, path)
  return { state: 'absent', message: `there is no ${path}${near === undefined ? '' : `; there is ${near}`}` }
}

/** One that differs in case or normal form only. */
function similar(sight: Sight, path: string): string | undefined {
  const parent = folderOf(path)
  try {
    const names = readdirSync(sight.absolute(sight.real(parent))).slice(0, NAMES_MAX)
    const name = names.find((one) => plain(one) === plain(posix.basename(path)))
    return name === undefined ? undefined : posix.join(parent, name)
  } catch {
    return undefined
  }
}

function plain(name: string): string {
  return name.normalize('NFC').toLowerCase()
}

function sightOf(root: string): Sight | undefined {
  try {
    return new Sight(root)
  } catch {
    return undefined
  }
}
