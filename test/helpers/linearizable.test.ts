import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLinearizable, type Model, type Operation } from './linearizable.ts'

type Input = { readonly write: number } | 'read'
type Output = number | 'ok'

const register: Model<number, Input, Output> = {
  start: 0,
  step: (state, input, output) => {
    if (input !== 'read') return input.write
    return output === undefined || output === state ? state : undefined
  },
  nameOf: String,
}

const op = (
  input: Input,
  output: Output | undefined,
  called: number,
  returned: number = Infinity,
): Operation<Input, Output> => ({ input, output, called, returned })

describe('the check of linearizability', () => {
  it('accepts what happened one after another', () => {
    expect(isLinearizable(register, [op({ write: 1 }, 'ok', 0, 1), op('read', 1, 2, 3), op('read', 1, 4, 5)])).toBe(
      true,
    )
    expect(isLinearizable(register, [])).toBe(true)
  })

  it('refutes a read that is stale', () => {
    expect(isLinearizable(register, [op({ write: 1 }, 'ok', 0, 1), op('read', 0, 2, 3)])).toBe(false)
  })

  it('lets operations that overlap take effect in either order, but in one order for all', () => {
    const writes = [op({ write: 1 }, 'ok', 0, 10), op({ write: 2 }, 'ok', 1, 9)]
    expect(isLinearizable(register, [...writes, op('read', 1, 11, 12)])).toBe(true)
    expect(isLinearizable(register, [...writes, op('read', 2, 11, 12)])).toBe(true)
    expect(isLinearizable(register, [...writes, op('read', 1, 11, 12), op('read', 2, 13, 14)])).toBe(false)
  })

  it('refutes a value that is seen and then no longer seen', () => {
    const write = op({ write: 1 }, 'ok', 0, 20)
    expect(isLinearizable(register, [write, op('read', 1, 1, 2), op('read', 0, 3, 4)])).toBe(false)
    expect(isLinearizable(register, [write, op('read', 0, 1, 2), op('read', 1, 3, 4)])).toBe(true)
  })

  it('takes an operation without an answer as done at any later time, or never', () => {
    const lost = op({ write: 1 }, undefined, 0)
    expect(isLinearizable(register, [lost, op('read', 0, 5, 6)])).toBe(true)
    expect(isLinearizable(register, [lost, op('read', 0, 5, 6), op('read', 1, 7, 8)])).toBe(true)
    expect(isLinearizable(register, [lost, op('read', 1, 5, 6), op('read', 0, 7, 8)])).toBe(false)
    expect(isLinearizable(register, [op('read', 1, 5, 6), op({ write: 1 }, undefined, 7)])).toBe(false)
  })

  it('agrees with trying every order, on small histories', () => {
    const operation = fc.record({
      input: fc.oneof(fc.constant<Input>('read'), fc.record({ write: fc.integer({ min: 0, max: 2 }) })),
      read: fc.integer({ min: 0, max: 2 }),
      called: fc.integer({ min: 0, max: 30 }),
      lasts: fc.integer({ min: 1, max: 10 }),
      answered: fc.integer({ min: 0, max: 5 }),
    })
    const outcomes = { true: 0, false: 0 }
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 6 }), (drawn) => {
        const history = drawn.map(({ input, read, called, lasts, answered }, index) => {
          const output = answered === 0 ? undefined : input === 'read' ? read : 'ok'
          // No two moments are equal.
          return op(input, output, called + index / 100, called + lasts + index / 100 + 0.5)
        })
        const verdict = isLinearizable(register, history)
        outcomes[`${verdict}`]++
        expect(verdict).toBe(byTryingAll(history, register.start))
      }),
      { numRuns: 2000 },
    )
    expect(Math.min(outcomes.true, outcomes.false)).toBeGreaterThan(100)
  })
})

/** The definition, literally: some operation that none of the others precedes comes first, and the rest follows. */
function byTryingAll(left: readonly Operation<Input, Output>[], state: number): boolean {
  if (left.every(({ output }) => output === undefined)) return true
  return left.some((first) => {
    const rest = left.filter((other) => other !== first)
    if (rest.some((other) => other.output !== undefined && other.returned < first.called)) return false
    const next = register.step(state, first.input, first.output)
    return next !== undefined && byTryingAll(rest, next)
  })
}
