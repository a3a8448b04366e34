import { isJsonArray, isJsonObject, type Json } from '../../core/json-patch/json.ts'
import { applyPatch, type PatchFailure } from '../../core/json-patch/patch.ts'
import { formatPointer, parsePointer } from '../../core/json-patch/pointer.ts'
import { type About, invalidObject, Refusal } from './refusal.ts'

/** Params and meta are patched as a map of their own, which has other words for what goes wrong. */
export type PatchOf = 'object' | 'map'

/**
 * Applies what a client sent, all of it or nothing. Throws `Refusal`: 409 with the line that does not fit and never with what is
 * there, 400 for what is no patch, 422 and 413 for what is refused.
 */
export function patched(document: Json, patch: Json, of: PatchOf, about: About): Json {
  if (!isJsonArray(patch)) throw new Refusal(400, about, ['a JSON Patch is a list of operations'])
  const outcome = applyPatch(document, of === 'map' ? withoutGuardOfAdd(document, patch) : patch)
  if (outcome.ok) return outcome.document
  const { kind, index, reason } = outcome.failure
  if (kind === 'malformed') throw new Refusal(400, about, [index < 0 ? reason : `operation ${index}: ${reason}`])
  if (kind === 'limit') throw new Refusal(413, about, [reason])
  if (kind === 'refused') throw invalidObject(about, reason)
  const line = patch[index] ?? null
  const why = reasonOf(document, outcome.failure, line)
  const messages =
    of === 'map'
      ? [`Patch failed to apply at line ${index}`, why]
      : [`Patch error at line ${index}: ${why}`, `Patch line: ${JSON.stringify(line)}`]
  throw new Refusal(409, about, messages)
}

/**
 * `drpcli … add` sends a test of the whole map and one addition to it. It means that the key is not there yet: what others
 * write to other keys in between has nothing to do with it, and would make all contenders lose.
 */
function withoutGuardOfAdd(document: Json, patch: readonly Json[]): readonly Json[] {
  const [test, add] = patch
  if (patch.length !== 2 || test === undefined || add === undefined) return patch
  if (!isJsonObject(test) || !isJsonObject(add) || !isJsonObject(document)) return patch
  const { op, path, value } = test
  if (op !== 'test' || path !== '' || value === undefined || !isJsonObject(value)) return patch
  const names = add['op'] === 'add' && typeof add['path'] === 'string' ? parsePointer(add['path']) : undefined
  const [key] = names ?? []
  if (key === undefined || names?.length !== 1 || Object.hasOwn(value, key)) return patch
  return Object.hasOwn(document, key) ? patch : [{ ...test, value: document }, add]
}

/** In the words of its library (VictorLowther/jsonpatch2), less the contents of the map, which it tells everybody. */
function reasonOf(document: Json, { op, pointer }: PatchFailure, line: Json): string {
  const path = isJsonObject(line) && typeof line['path'] === 'string' ? line['path'] : pointer
  const names = parsePointer(path) ?? []
  const way = op === 'test' ? names : names.slice(0, -1)
  const gap = gapOf(document, way)
  if (gap !== undefined) return gap
  if (op === 'test') return 'Test op failed.'
  if (op === 'replace') return `${formatPointer(names)} does not refer to an existing location`
  return `\`${formatPointer(names)}\` does not point to an existing location`
}

/** Where the way to a place ends. */
function gapOf(document: Json, names: readonly string[]): string | undefined {
  let at: Json = document
  for (const [index, name] of names.entries()) {
    if (isJsonArray(at)) {
      const next: Json | undefined = /^\d{1,9}$/.test(name) ? at[Number(name)] : undefined
      if (next === undefined) return 'Index out of bounds'
      at = next
    } else if (isJsonObject(at)) {
      const next: Json | undefined = Object.hasOwn(at, name) ? at[name] : undefined
      if (next === undefined) return `Selector ${name} not a member of map[string]interface {}{…}`
      at = next
    } else return `Cannot index pointer ${formatPointer(names.slice(index))} for non-indexable JSON value`
  }
  return undefined
}
