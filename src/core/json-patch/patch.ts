import { Budget, isHostile, isSame, type Json, Spent, unfitness } from './json.ts'
import { Draft, Refused } from './draft.ts'
import { lookUp, parsePointer } from './pointer.ts'

/** One operation of RFC 6902. Members that its kind does not use are ignored, as the RFC has it. */
export type PatchOp =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly path: string; readonly from: string }

export interface PatchLimits {
  readonly ops: number
  /** Of the document, before and after. */
  readonly depth: number
  /**
   * Elements and members that are looked at, copied or moved, and characters that are copied, all operations together:
   * bounds time, and what the document can grow by.
   */
  readonly steps: number
}

export const PATCH_LIMITS: PatchLimits = { ops: 10_000, depth: 24, steps: 1_000_000 }

/**
 * Why a patch was not applied. `conflict`: the document is not as the patch expects. `malformed`: it is no patch.
 * `refused`: a name or a number that may not be used. `limit`: more than the limits allow.
 */
export interface PatchFailure {
  readonly kind: 'conflict' | 'malformed' | 'refused' | 'limit'
  /** Of the operation that failed, from 0 on; -1 where it is the patch as a whole. */
  readonly index: number
  readonly op: string
  readonly pointer: string
  readonly reason: string
  /** What is at the pointer; absent when nothing is. */
  readonly actual?: Json
}

export type PatchOutcome =
  | { readonly ok: true; readonly document: Json }
  | { readonly ok: false; readonly failure: PatchFailure }

/**
 * Applies a JSON Patch (RFC 6902), all operations or none. `document` is never touched; the result shares with it what
 * did not change. Sees and makes own members only.
 */
export function applyPatch(document: Json, patch: unknown, limits: PatchLimits = PATCH_LIMITS): PatchOutcome {
  if (!Array.isArray(patch)) return failed(-1, '', '', 'malformed', 'a patch is an array of operations')
  if (patch.length > limits.ops) {
    return failed(-1, '', '', 'limit', `${patch.length} operations; at most ${limits.ops}`)
  }
  const budget = new Budget(limits.steps)
  const draft = new Draft(document, limits.depth, budget)
  for (const [index, given] of patch.entries()) {
    const failure = step(draft, given, index, limits, budget)
    if (failure !== undefined) return failure
  }
  return { ok: true, document: draft.document }
}

type Failed = Extract<PatchOutcome, { ok: false }>

function step(draft: Draft, given: unknown, index: number, limits: PatchLimits, budget: Budget): Failed | undefined {
  const { op, path, from, value } = partsOf(given)
  const wrong = (reason: string): Failed => failed(index, op, path ?? '', 'malformed', reason)
  if (!NEEDS.has(op)) return wrong('"op" is none of add, remove, replace, move, copy, test')
  const to = path === undefined ? undefined : parsePointer(path)
  if (path === undefined || to === undefined) return wrong('"path" is no JSON Pointer')
  const needs = NEEDS.get(op)
  const source = needs === 'from' && from !== undefined ? parsePointer(from) : []
  if (needs === 'from' && (from === undefined || source === undefined)) return wrong('"from" is no JSON Pointer')
  if (needs === 'value' && value === undefined) return wrong('"value" is missing')
  if (op === 'move' && isInside(source ?? [], to)) return wrong('a value cannot be moved into itself')
  if (op === 'remove' && to.length === 0) return wrong('the whole document cannot be removed')
  const hostile = [...to, ...(source ?? [])].find((name) => isHostile(name))
  if (hostile !== undefined) return failed(index, op, path, 'refused', `"${hostile}" may not be used as a name`)
  try {
    const unfit = needs === 'value' ? unfitness(value, limits.depth, budget) : undefined
    if (unfit === 'too deep') return failed(index, op, path, 'limit', `deeper than ${limits.depth}`)
    if (unfit !== undefined) return failed(index, op, path, 'refused', `the value holds ${unfit}`)
    budget.spend(to.length + 1)
    act(draft, op, to, source ?? [], value as Json, budget)
    return undefined
  } catch (error) {
    if (error instanceof Spent) return failed(index, op, path, 'limit', 'more work than one patch may ask for')
    if (!(error instanceof Refused)) throw error
    return failed(index, op, error.pointer, error.kind, error.message, lookUp(draft.document, error.names))
  }
}

/** What can never be done is no lost race, whatever is there. */
function isInside(outer: readonly string[], inner: readonly string[]): boolean {
  return outer.length < inner.length && outer.every((name, index) => name === inner[index])
}

const NEEDS: ReadonlyMap<string, 'value' | 'from' | 'nothing'> = new Map([
  ['add', 'value'],
  ['replace', 'value'],
  ['test', 'value'],
  ['remove', 'nothing'],
  ['move', 'from'],
  ['copy', 'from'],
])

function act(
  draft: Draft,
  op: string,
  path: readonly string[],
  from: readonly string[],
  value: Json,
  budget: Budget,
): void {
  switch (op) {
    case 'add':
      return draft.add(path, value)
    case 'replace':
      return draft.replace(path, value)
    case 'remove':
      return void draft.remove(path)
    case 'move':
      return draft.move(from, path)
    case 'copy':
      return draft.copy(from, path)
    default:
      if (!isSame(draft.get(path), value, budget)) throw new Refused('conflict', path, 'the value is another')
  }
}

interface Parts {
  readonly op: string
  readonly path: string | undefined
  readonly from: string | undefined
  readonly value: unknown
}

function partsOf(given: unknown): Parts {
  const own = (name: string): unknown =>
    typeof given === 'object' && given !== null && Object.hasOwn(given, name)
      ? (given as Readonly<Record<string, unknown>>)[name]
      : undefined
  const text = (name: string): string | undefined => {
    const value = own(name)
    return typeof value === 'string' ? value : undefined
  }
  return { op: text('op') ?? '', path: text('path'), from: text('from'), value: own('value') }
}

function failed(
  index: number,
  op: string,
  pointer: string,
  kind: PatchFailure['kind'],
  reason: string,
  actual?: Json,
): Failed {
  return { ok: false, failure: { kind, index, op, pointer, reason, ...(actual !== undefined && { actual }) } }
}
