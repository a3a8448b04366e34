import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { diff } from './diff.ts'
import { isHostile, isSame, type Json, unfitness } from './json.ts'
import { applyMerge } from './merge.ts'
import { applyPatch, type PatchOp, type PatchOutcome } from './patch.ts'
import { formatPointer, parsePointer } from './pointer.ts'

const RUNS = 1000

const name = fc.oneof(fc.constantFrom('a', 'b', 'x/y', '~', '', '0'), fc.string({ maxLength: 3 }))
const { json } = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.string({ maxLength: 4 }),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(name, tie('json'), { maxKeys: 4 }),
  ),
}))
const fit = json
  .map((value) => JSON.parse(JSON.stringify(value)) as Json)
  .filter((value) => unfitness(value, 20) === undefined)

/** Pointers that often lead somewhere. */
const pointer = fc
  .array(fc.oneof(fc.constantFrom('a', 'b', '0', '1', '-'), name), { maxLength: 3 })
  .filter((names) => !names.some(isHostile))
  .map(formatPointer)
const operation: fc.Arbitrary<PatchOp> = fc.oneof(
  fc.record({ op: fc.constantFrom('add', 'replace', 'test'), path: pointer, value: fit }),
  fc.record({ op: fc.constant('remove'), path: pointer }),
  fc.record({ op: fc.constantFrom('move', 'copy'), from: pointer, path: pointer }),
)

describe('laws of patches', () => {
  it('apply(a, diff(a, b)) is b, guarded or not', () => {
    fc.assert(
      fc.property(fit, fit, (a, b) => {
        for (const guarded of [false, true]) {
          const outcome = applyPatch(a, diff(a, b, { guarded }))
          expect(outcome).toEqual({ ok: true, document: b })
        }
      }),
      { numRuns: RUNS },
    )
  })

  it('a diff of the same is empty, and is never much longer than what it leads to', () => {
    fc.assert(
      fc.property(fit, fit, (a, b) => {
        expect(diff(a, structuredClone(a))).toEqual([])
        expect(JSON.stringify(diff(a, b)).length).toBeLessThanOrEqual(JSON.stringify(b).length + 40)
      }),
      { numRuns: RUNS },
    )
  })

  it('a guarded diff does not fit where what it takes away has changed', () => {
    const guarded = diff({ a: 1, list: [1, 2] }, { a: 2, list: [2] }, { guarded: true })
    expect(applyPatch({ a: 3, list: [1, 2] }, guarded)).toMatchObject({ ok: false, failure: { pointer: '/a' } })
    expect(applyPatch({ a: 1, list: [0, 1, 2] }, guarded)).toMatchObject({ ok: false, failure: { pointer: '/list' } })
    expect(applyPatch({ a: 1, list: [1, 2], other: 9 }, guarded).ok).toBe(true)
  })

  it('neither a patch that fails nor one that is applied touches what it was given', () => {
    fc.assert(
      fc.property(fit, fc.array(operation, { maxLength: 6 }), (document, patch) => {
        const before = JSON.stringify([document, patch])
        applyPatch(freeze(document), freeze(patch))
        expect(JSON.stringify([document, patch])).toBe(before)
      }),
      { numRuns: RUNS },
    )
  })

  it('a test never changes anything', () => {
    fc.assert(
      fc.property(fit, pointer, fit, (document, path, value) => {
        const outcome = applyPatch(document, [{ op: 'test', path, value }])
        if (outcome.ok) expect(outcome.document).toBe(document)
      }),
      { numRuns: RUNS },
    )
  })

  it('a patch is its operations one after the other', () => {
    fc.assert(
      fc.property(fit, fc.array(operation, { maxLength: 5 }), (document, patch) => {
        const whole = applyPatch(document, patch)
        let stepwise: Json | undefined = document
        for (const op of patch) {
          const outcome: PatchOutcome | undefined = stepwise === undefined ? undefined : applyPatch(stepwise, [op])
          stepwise = outcome?.ok === true ? outcome.document : undefined
        }
        expect(whole.ok ? whole.document : undefined).toEqual(stepwise)
      }),
      { numRuns: RUNS },
    )
  })

  it('sameness is that of texts with sorted members', () => {
    const sorted = (value: Json): string =>
      JSON.stringify(value, (_, each: unknown) =>
        typeof each === 'object' && each !== null && !Array.isArray(each)
          ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
          : each,
      )
    fc.assert(
      fc.property(fit, fit, (a, b) => {
        expect(isSame(a, b)).toBe(sorted(a) === sorted(b))
        expect(isSame(a, structuredClone(a))).toBe(true)
      }),
      { numRuns: RUNS },
    )
  })

  it('pointers come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (names) => {
        expect(parsePointer(formatPointer(names))).toEqual(names)
      }),
    )
  })
})

describe('merge patches (RFC 7396, appendix A)', () => {
  it.for([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ] as readonly (readonly [Json, Json, Json])[])('%j with %j is %j', ([document, patch, expected]) => {
    expect(applyMerge(freeze(document), freeze(patch))).toEqual(expected)
  })

  it('take no inherited member for an own one', () => {
    expect(applyMerge({}, { toString: { a: 1 } })).toEqual({ toString: { a: 1 } })
  })
})

function freeze(value: Json): Json {
  if (typeof value === 'object' && value !== null) {
    Object.freeze(value)
    for (const each of Object.values(value)) freeze(each)
  }
  return value
}
