import type { z } from 'zod'
import type { NodeAnswer } from '../core/api.ts'
import { parseNodeKey } from '../core/keys.ts'
import { nodesOf } from '../core/status.ts'
import type { Entry } from '../core/store.ts'
import { zNodeAlive, zNodeDatasets, zNodeTarget } from './schemas/nodes.ts'

const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  alive: zNodeAlive,
  target: zNodeTarget,
  datasets: zNodeDatasets,
}

/** What the entries under `node/` say. A node writes its own, so what has not the right form is left out, not believed. */
export function nodesFrom(entries: readonly Entry[]): readonly NodeAnswer[] {
  return nodesOf(entries.flatMap((entry) => wellFormed(entry)))
}

/** The entry with nothing in its value but what its schema knows; nothing if the value has another form. */
function wellFormed(entry: Entry): readonly Entry[] {
  const schema = SCHEMAS[parseNodeKey(entry.key)?.family ?? '']
  if (schema === undefined) return [entry]
  const value = parseValue(schema, entry.value)
  return value === undefined ? [] : [{ ...entry, value: JSON.stringify(value) }]
}

/** The parsed value, or undefined if it is not JSON of that form. */
export function parseValue<T>(schema: z.ZodType<T>, value: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(value)).data
  } catch {
    return undefined
  }
}
