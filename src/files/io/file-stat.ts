import type { Stats } from 'node:fs'
import { type FileStat, tellableMs } from '../../core/files/entry.ts'

export function statOf({ size, mtimeMs, ctimeMs, ino, nlink }: Stats): FileStat {
  return { size, modifiedMs: tellableMs(mtimeMs), changedMs: ctimeMs, inode: ino, links: nlink }
}

export function isSameStat(left: FileStat, right: FileStat): boolean {
  return hasSameContent(left, right) && left.changedMs === right.changedMs && left.inode === right.inode
}

/** Of one file at two moments. Its status changes also when it is renamed, replaced or linked to, which leaves the content alone. */
export function hasSameContent(before: FileStat, after: FileStat): boolean {
  return before.size === after.size && before.modifiedMs === after.modifiedMs
}
