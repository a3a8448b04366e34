import type { Op } from '../core/op.ts'
import type { FileTree, ItemChange, TreeFile } from '../core/tree.ts'
import { forEachLimited } from '../lib/limited.ts'
import { type DiffLine, lineDiff, type ShownLine } from '../lib/line-diff.ts'
import { changeOf } from '../targets/geoserver/definition/change.ts'
import { classify, VERSIONS_FILE } from '../targets/geoserver/definition/classify.ts'
import type { CatalogEntry } from '../targets/geoserver/definition/model.ts'
import { Overlay } from '../targets/geoserver/definition/overlay.ts'
import { isPlain, plainEntry, readPortable } from '../targets/geoserver/definition/portable.ts'
import { shownLines } from '../targets/geoserver/definition/shown.ts'

/** An object or file that differs between two catalogs. */
export interface CatalogChange {
  readonly change: ItemChange
  readonly before: CatalogEntry | undefined
  readonly after: CatalogEntry | undefined
}

/** How the files behind it differ, as people may see them. */
export interface ChangedLines {
  /** `- old`, `+ new`, `  beside`. */
  readonly lines?: readonly string[]
  /** Why no lines are told. */
  readonly note?: string
}

const PARALLEL = 8

/** What differs, sorted by key. Only files whose bytes differ are read, so a tree may lie behind a network. */
export async function compareCatalogs(from: FileTree, to: FileTree, op: Op): Promise<readonly CatalogChange[]> {
  const before = await entriesOf(from, differing(from, to), op)
  const after = await entriesOf(to, differing(to, from), op)
  const changes: CatalogChange[] = []
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(key), after.get(key)]
    const change = await changeBetween(was, is, { from, to }, op)
    if (change !== undefined) changes.push({ change, before: was, after: is })
  }
  return changes.toSorted((a, b) => (a.change.id < b.change.id ? -1 : 1))
}

async function changeBetween(
  was: CatalogEntry | undefined,
  is: CatalogEntry | undefined,
  { from, to }: { readonly from: FileTree; readonly to: FileTree },
  op: Op,
): Promise<ItemChange | undefined> {
  if (is === undefined) return was && { id: was.key, effect: 'removed', path: was.path, details: [] }
  if (was === undefined) return { id: is.key, effect: 'added', path: is.path, details: [] }
  if (was.digest === is.digest && was.encrypted.join() === is.encrypted.join()) return undefined
  const [old, now] = [await from.read(was.path, op), await to.read(is.path, op)]
  return changeOf({ entry: was, bytes: old }, { entry: is, bytes: now })
}

/** Lines of the files, with what is secret masked. */
export function changedLines(
  path: string,
  before: Uint8Array | undefined,
  after: Uint8Array | undefined,
): ChangedLines {
  const [was, is] = [before, after].map((bytes) => (bytes === undefined ? [] : shownLines(path, bytes)))
  if (was === undefined || is === undefined) return { note: `no text: ${sizeOf(before)} → ${sizeOf(after)}` }
  const found = lineDiff(was satisfies readonly ShownLine[], is)
  if (found === undefined) return { note: 'too much differs to be told line by line' }
  return { lines: found.map(lineText) }
}

/** A file as people may see it; undefined for what is no text. */
export function maskedText(path: string, bytes: Uint8Array): string | undefined {
  return shownLines(path, bytes)
    ?.map(({ text }) => text)
    .join('\n')
}

function lineText({ sign, text }: DiffLine): string {
  return `${sign} ${text}`
}

function sizeOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? 'nothing' : `${bytes.byteLength} bytes`
}

function differing(one: FileTree, other: FileTree): readonly TreeFile[] {
  const there = new Map(other.files.map(({ path, sha256 }) => [path, sha256]))
  return one.files.filter(({ path, sha256 }) => path !== VERSIONS_FILE && there.get(path) !== sha256)
}

/** By key. What cannot be read as a part of a catalog is in none: the check of the release says why. */
async function entriesOf(tree: FileTree, files: readonly TreeFile[], op: Op): Promise<Map<string, CatalogEntry>> {
  const entries = new Map<string, CatalogEntry>()
  const overlay = new Overlay()
  await forEachLimited(files, PARALLEL, async ({ path, size, sha256 }) => {
    const place = classify(path)
    if (place.class !== undefined && isPlain(place, path)) {
      entries.set(`file/${path}`, plainEntry(path, place.class, size, sha256))
      return
    }
    const read = readPortable(path, await tree.read(path, op), overlay)
    if ('entry' in read) entries.set(read.entry.key, read.entry)
  })
  return entries
}
