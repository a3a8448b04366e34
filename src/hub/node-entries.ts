import { z } from 'zod'
import type { NodeAnswer } from '../core/api.ts'
import { parseNodeKey } from '../core/keys.ts'
import { nodesOf } from '../core/status.ts'
import type { Entry } from '../core/store.ts'
import { zNodeFiles } from './schemas/files.ts'
import { zNodeAlive, zNodeServed, zNodeTarget } from './schemas/nodes.ts'
import { zNodeProxy } from './schemas/rollouts.ts'

/** Far more than an honest report has. Every part that does not fit costs a kilobyte of findings, at every status. */
const PARTS_MAX = 10_000
const zModest = z.unknown().refine((value) => countParts(value, PARTS_MAX) <= PARTS_MAX)

const SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  ['alive', zModest.pipe(zNodeAlive)],
  ['target', zModest.pipe(zNodeTarget)],
  ['proxy', zModest.pipe(zNodeProxy)],
  ['files', zModest.pipe(zNodeFiles)],
  ['served', zModest.pipe(zNodeServed)],
])

/** What the entries under `node/` say. A node writes its own, so what has not the right form is left out, not believed. */
export function nodesFrom(entries: readonly Entry[]): readonly NodeAnswer[] {
  return nodesOf(entries.flatMap((entry) => wellFormed(entry)))
}

/** The entry with nothing in its value but what its schema knows; nothing if the value has another form. */
function wellFormed(entry: Entry): readonly Entry[] {
  const schema = SCHEMAS.get(parseNodeKey(entry.key)?.family ?? '')
  if (schema === undefined) return [entry]
  const value = parseValue(schema, entry.value)
  return value === undefined ? [] : [{ ...entry, value: JSON.stringify(value) }]
}

/** What a node says of itself, and has not more parts than an honest one has; undefined otherwise. */
export function saidByNode<T>(schema: z.ZodType<T>, value: string): T | undefined {
  return parseValue(zModest.pipe(schema), value)
}

/** The parsed value, or undefined if it is not JSON of that form. */
export function parseValue<T>(schema: z.ZodType<T>, value: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(value)).data
  } catch {
    return undefined
  }
}

/** Members and elements of `value`, its parts' included; counts no further than just over `limit`. */
function countParts(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null) return 0
  const parts: readonly unknown[] = Object.values(value)
  let count = parts.length
  for (const part of parts) {
    if (count > limit) return count
    count += countParts(part, limit - count)
  }
  return count
}
