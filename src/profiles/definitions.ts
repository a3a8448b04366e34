import { FlotillaError } from '../core/errors.ts'
import { type Json, unfitness } from '../core/json-patch/json.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import { checkParamName, defaultOf, type Definition, invalid, PROFILE_LIMITS } from '../core/profile/profile.ts'
import type { Store } from '../core/store.ts'
import type { Schemas } from './schemas.ts'

/** A definition, and the revision that last wrote it. */
export interface KnownDefinition {
  readonly definition: Definition
  readonly revision: number
}

const DEFINITIONS_MAX = 5000
const DEFINITION_CHARS = 64 * 1024
/** So many are asked for one by one; more are cheaper as one list. */
const FEW = 16

/** Those that there are of some params. */
export async function definitionsOf(
  store: Store,
  params: readonly string[],
  op: Op = {},
): Promise<readonly Definition[]> {
  if (params.length > FEW) {
    const wanted = new Set(params)
    return (await listDefinitions(store, op)).filter(({ name }) => wanted.has(name))
  }
  const found = await Promise.all(params.map((param) => store.get(keys.param(param), op)))
  return found.flatMap((entry) => (entry === undefined ? [] : [JSON.parse(entry.value) as Definition]))
}

/** Sorted by key. */
export async function listDefinitions(store: Store, op: Op = {}): Promise<readonly Definition[]> {
  const { entries } = await store.list(keys.params, op)
  return entries.map(({ value }) => JSON.parse(value) as Definition)
}

export async function readDefinition(
  store: Pick<Store, 'get'>,
  param: string,
  op: Op = {},
): Promise<KnownDefinition | undefined> {
  const entry = await store.get(keys.param(param), op)
  return entry && { definition: JSON.parse(entry.value) as Definition, revision: entry.revision }
}

interface PutOptions extends Op {
  readonly schemas: Schemas
  /** The revision that it must have, 0 for none. */
  readonly ifRevision?: number | undefined
}

/**
 * Puts a definition in place of the one there is. Rejects with `INVALID_VALUE` where its schema is none, or its default
 * does not match it, and with `LOST_RACE`.
 */
export async function putDefinition(store: Store, definition: Definition, options: PutOptions): Promise<number> {
  const { schemas, ifRevision } = options
  const { name, schema } = definition
  checkParamName(name)
  const unfit = unfitness(withoutUndefined(definition), PROFILE_LIMITS.depth + 2)
  if (unfit !== undefined) throw invalid(`the definition of ${name} would hold ${unfit}`)
  const value = JSON.stringify(definition)
  if (value.length > DEFINITION_CHARS) {
    throw new FlotillaError('TOO_LARGE', `the definition of ${name} has ${value.length} characters`)
  }
  if (schema !== undefined) await schemas.check(name, schema, defaultOf(definition))
  const before = await readDefinition(store, name, options)
  if (before === undefined && (await listDefinitions(store, options)).length >= DEFINITIONS_MAX) {
    throw new FlotillaError('TOO_LARGE', `there are ${DEFINITIONS_MAX} definitions of params already`)
  }
  const key = keys.param(name)
  const commit = await store.commit(
    {
      expect: ifRevision === undefined ? [] : [{ key, revision: ifRevision }],
      changes: [{ op: 'put', key, value }],
    },
    options,
  )
  if (commit.committed) return commit.revision
  if (ifRevision !== 0)
    throw new FlotillaError('LOST_RACE', `the definition of ${name} is at revision ${commit.actual}`)
  throw new FlotillaError('LOST_RACE', `${name} is defined already`, {
    hint: '`flotilla param create … --replace` puts another definition in its place.',
  })
}

/** Throws `NOT_FOUND`. */
export async function deleteDefinition(
  store: Store,
  param: string,
  { ifRevision, ...op }: Op & { readonly ifRevision?: number | undefined } = {},
): Promise<void> {
  const key = keys.param(param)
  const before = await store.get(key, op)
  if (before === undefined) throw new FlotillaError('NOT_FOUND', `the param ${param} is not defined`)
  const expect = ifRevision === undefined ? [] : [{ key, revision: ifRevision }]
  const commit = await store.commit({ expect, changes: [{ op: 'delete', key }] }, op)
  if (!commit.committed)
    throw new FlotillaError('LOST_RACE', `the definition of ${param} is at revision ${commit.actual}`)
}

/** Throws `INVALID_VALUE` for the first value that does not match the schema of its param. */
export async function checkAgainst(
  definitions: readonly Definition[],
  values: ReadonlyMap<string, Json>,
  schemas: Schemas,
): Promise<void> {
  for (const { name, schema } of definitions) {
    const value = values.get(name)
    if (schema !== undefined && value !== undefined) await schemas.check(name, schema, value)
  }
}

function withoutUndefined(definition: Definition): object {
  return Object.fromEntries(Object.entries(definition).filter(([, value]) => value !== undefined))
}
