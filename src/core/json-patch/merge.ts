import { isJsonObject, type Json, memberOf } from './json.ts'

/**
 * Applies a JSON Merge Patch (RFC 7396): members are replaced, null removes one, an array takes the place of another as
 * a whole. `document` is never touched. The patch must have been looked at by `unfitness` before.
 */
export function applyMerge(document: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch
  const result: Record<string, Json> = document !== undefined && isJsonObject(document) ? { ...document } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = applyMerge(memberOf(result, name), value)
  }
  return result
}
