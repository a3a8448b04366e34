import { isDeepStrictEqual } from 'node:util'
import type { Model, Operation } from './linearizable.ts'

/**
 * What a profile and a raw key have in common for whoever only sees answers: a value with a revision, that of the last
 * commit that changed it. A change whose answer was lost leaves a revision that nobody knows until somebody reads it.
 */
export interface Versioned {
  readonly value: Value
  /** Undefined: some revision above `floor`. */
  readonly revision: number | undefined
  readonly floor: number
}

/** Params of a profile; of a raw key, one called `value`. */
export type Value = Readonly<Record<string, unknown>>

export type Change =
  | { readonly op: 'set'; readonly param: string; readonly value: number }
  | { readonly op: 'increment'; readonly param: string }
  | { readonly op: 'append'; readonly param: string; readonly value: number }

export type VersionedInput =
  | { readonly ask: 'read' }
  | {
      readonly ask: 'change'
      readonly change: Change
      /** It must have that value; null for none. */
      readonly ref?: { readonly value: unknown }
      readonly ifRevision?: number
      /** Also what changes nothing is a commit, as of raw keys. */
      readonly always?: true
    }

export type VersionedOutput =
  | { readonly read: Value; readonly revision: number }
  | { readonly done: { readonly changed: boolean; readonly revision: number; readonly told?: unknown } }
  | { readonly refused: { readonly revision: number } }

export type VersionedHistory = readonly Operation<VersionedInput, VersionedOutput>[]

export function versioned(start: Versioned): Model<Versioned, VersionedInput, VersionedOutput> {
  return {
    start,
    step,
    nameOf: ({ value, revision, floor }) => JSON.stringify([revision ?? `>${floor}`, value]),
  }
}

function step(state: Versioned, input: VersionedInput, output: VersionedOutput | undefined): Versioned | undefined {
  if (input.ask === 'read') return output !== undefined && 'read' in output ? stepRead(state, output) : undefined
  if (output === undefined) return stepLost(state, input)
  if ('refused' in output) return stepRefused(state, input, output.refused.revision)
  if (!('done' in output)) return undefined
  const { changed, revision, told } = output.done
  const at = input.ifRevision === undefined ? state : bound(state, input.ifRevision)
  if (at === undefined || !meetsRef(at, input)) return undefined
  const value = changedBy(at.value, input.change)
  if (told !== undefined && !isDeepStrictEqual(told, value[input.change.param])) return undefined
  const mustChange = input.always === true || !isDeepStrictEqual(value, at.value)
  if (changed !== mustChange) return undefined
  if (!changed) return bound(at, revision)
  return revision > (at.revision ?? at.floor) ? { value, revision, floor: revision } : undefined
}

function stepRead(
  state: Versioned,
  output: { readonly read: Value; readonly revision: number },
): Versioned | undefined {
  return isDeepStrictEqual(output.read, state.value) ? bound(state, output.revision) : undefined
}

/** Only where it was done; where it was not, it is never asked. */
function stepLost(state: Versioned, input: Extract<VersionedInput, { ask: 'change' }>): Versioned | undefined {
  const at = input.ifRevision === undefined ? state : bound(state, input.ifRevision)
  if (at === undefined || !meetsRef(at, input)) return undefined
  const value = changedBy(at.value, input.change)
  if (input.always !== true && isDeepStrictEqual(value, at.value)) return at
  return { value, revision: undefined, floor: at.revision ?? at.floor }
}

function stepRefused(
  state: Versioned,
  input: Extract<VersionedInput, { ask: 'change' }>,
  revision: number,
): Versioned | undefined {
  const at = bound(state, revision)
  if (at === undefined) return undefined
  return (input.ifRevision !== undefined && input.ifRevision !== revision) || !meetsRef(at, input) ? at : undefined
}

/** The state where its revision is that one. */
function bound(state: Versioned, revision: number): Versioned | undefined {
  if (state.revision !== undefined) return state.revision === revision ? state : undefined
  return revision > state.floor ? { value: state.value, revision, floor: revision } : undefined
}

function meetsRef({ value }: Versioned, { ref, change }: Extract<VersionedInput, { ask: 'change' }>): boolean {
  return ref === undefined || isDeepStrictEqual(ref.value, value[change.param])
}

function changedBy(value: Value, change: Change): Value {
  const { param } = change
  const now = value[param]
  if (change.op === 'set') return { ...value, [param]: change.value }
  if (change.op === 'increment') return { ...value, [param]: Number(now ?? 0) + 1 }
  const list = Array.isArray(now) ? (now as readonly unknown[]) : []
  return list.includes(change.value) ? value : { ...value, [param]: [...list, change.value] }
}
