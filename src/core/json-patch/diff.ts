import { isJsonArray, isJsonObject, isSame, type Json, type JsonObject } from './json.ts'
import type { PatchOp } from './patch.ts'
import { formatPointer } from './pointer.ts'

export interface DiffOptions {
  /** Tests what is replaced or removed before it is: the patch then fits only where that is as it was in `before`. */
  readonly guarded?: boolean
}

/**
 * A patch that makes `after` of `before`: `applyPatch(before, diff(before, after))` is `after`. Never much longer than
 * `after` itself: where it would be, it replaces all.
 */
export function diff(before: Json, after: Json, { guarded = false }: DiffOptions = {}): readonly PatchOp[] {
  const ops: PatchOp[] = []
  compare(before, after, [], ops)
  const whole: readonly PatchOp[] = [{ op: 'replace', path: '', value: after }]
  const shorter = JSON.stringify(ops).length <= JSON.stringify(whole).length ? ops : whole
  return guarded ? guard(before, ops) : shorter
}

/** Before each operation that takes something away, a test that it is still what it was. */
function guard(before: Json, ops: readonly PatchOp[]): readonly PatchOp[] {
  const old = new Map<string, Json>()
  collect(before, [], old, new Set(ops.map(({ path }) => path)))
  // All tests come first: operations on an array move what comes after them.
  const arrays = new Set<string>()
  const tests = ops.flatMap(({ op, path }): readonly PatchOp[] => {
    const array = arrayAround(before, path)
    if (array !== undefined) {
      if (arrays.has(array.path)) return []
      arrays.add(array.path)
      return [{ op: 'test', path: array.path, value: array.value }]
    }
    const value = old.get(path)
    return op === 'add' || value === undefined ? [] : [{ op: 'test', path, value }]
  })
  return [...tests, ...ops]
}

/** The outermost array on the way to `path`, whose elements an operation may move. */
function arrayAround(document: Json, path: string): { readonly path: string; readonly value: Json } | undefined {
  let at: Json | undefined = document
  let way = ''
  for (const part of path.split('/').slice(1)) {
    if (at === undefined || typeof at !== 'object' || at === null) return undefined
    if (isJsonArray(at)) return { path: way, value: at }
    at = at[part.replaceAll('~1', '/').replaceAll('~0', '~')]
    way += `/${part}`
  }
  return undefined
}

function collect(at: Json, names: readonly string[], into: Map<string, Json>, wanted: ReadonlySet<string>): void {
  const path = formatPointer(names)
  if (wanted.has(path)) into.set(path, at)
  if (!isJsonObject(at)) return
  for (const [name, value] of Object.entries(at)) collect(value, [...names, name], into, wanted)
}

function compare(before: Json, after: Json, names: readonly string[], ops: PatchOp[]): void {
  if (isSame(before, after)) return
  if (isJsonObject(before) && isJsonObject(after)) compareObjects(before, after, names, ops)
  else if (isJsonArray(before) && isJsonArray(after)) compareArrays(before, after, names, ops)
  else ops.push({ op: 'replace', path: formatPointer(names), value: after })
}

function compareObjects(before: JsonObject, after: JsonObject, names: readonly string[], ops: PatchOp[]): void {
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) ops.push({ op: 'remove', path: formatPointer([...names, name]) })
  }
  for (const [name, value] of Object.entries(after)) {
    const way = [...names, name]
    if (Object.hasOwn(before, name)) compare(before[name] as Json, value, way, ops)
    else ops.push({ op: 'add', path: formatPointer(way), value })
  }
}

/** What both begin and end with stays; between, elements are compared in pairs, and the rest is added or removed. */
function compareArrays(
  before: readonly Json[],
  after: readonly Json[],
  names: readonly string[],
  ops: PatchOp[],
): void {
  const shorter = Math.min(before.length, after.length)
  const same = (a: number, b: number): boolean => isSame(before[a] as Json, after[b] as Json)
  let start = 0
  while (start < shorter && same(start, start)) start++
  let end = 0
  while (end < shorter - start && same(before.length - 1 - end, after.length - 1 - end)) end++
  const pairs = shorter - start - end
  const at = (index: number): readonly string[] => [...names, String(index)]
  for (let index = start; index < start + pairs; index++) {
    compare(before[index] as Json, after[index] as Json, at(index), ops)
  }
  for (let index = before.length - end - 1; index >= start + pairs; index--) {
    ops.push({ op: 'remove', path: formatPointer(at(index)) })
  }
  for (let index = start + pairs; index < after.length - end; index++) {
    ops.push({ op: 'add', path: formatPointer(at(index)), value: after[index] as Json })
  }
}
