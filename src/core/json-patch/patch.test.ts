import { describe, expect, it } from 'vitest'
import { isSame, type Json } from './json.ts'
import { applyPatch, PATCH_LIMITS, type PatchFailure } from './patch.ts'

function failure(document: Json, patch: unknown): PatchFailure {
  const before = structuredClone(document)
  const outcome = applyPatch(document, patch)
  expect(isSame(document, before)).toBe(true)
  if (outcome.ok) throw new Error('it was applied')
  return outcome.failure
}

function applied(document: Json, patch: unknown): Json {
  const outcome = applyPatch(document, patch)
  if (!outcome.ok) throw new Error(`${outcome.failure.pointer}: ${outcome.failure.reason}`)
  return outcome.document
}

const nested = (depth: number): Json => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as Json

describe('a patch that fails', () => {
  it('names the operation, the pointer, and what is there', () => {
    const patch = [
      { op: 'add', path: '/b', value: 2 },
      { op: 'test', path: '/a/x~1y', value: 'none' },
    ]
    expect(failure({ a: { 'x/y': 'me' } }, patch)).toEqual({
      kind: 'conflict',
      index: 1,
      op: 'test',
      pointer: '/a/x~1y',
      reason: 'the value is another',
      actual: 'me',
    })
  })

  it('says that nothing is there without naming a value', () => {
    const { kind, pointer, actual } = failure({}, [{ op: 'replace', path: '/a', value: 1 }])
    expect([kind, pointer, actual]).toEqual(['conflict', '/a', undefined])
  })

  it('tells the value as the operations before it left it', () => {
    const patch = [
      { op: 'replace', path: '/a', value: 2 },
      { op: 'test', path: '/a', value: 1 },
    ]
    expect(failure({ a: 1 }, patch).actual).toBe(2)
  })

  it.for([
    ['no array', {}],
    ['an operation that is no object', [null]],
    ['an unknown operation', [{ op: 'steal', path: '' }]],
    ['an operation that only a prototype has', [{ op: 'constructor', path: '' }]],
    ['no path', [{ op: 'remove' }]],
    ['a path without a slash', [{ op: 'remove', path: 'a' }]],
    ['a broken escape', [{ op: 'remove', path: '/a~2' }]],
    ['a tilde at the end', [{ op: 'remove', path: '/a~' }]],
    ['no value', [{ op: 'test', path: '/a' }]],
    ['no from', [{ op: 'copy', path: '/a' }]],
  ] as const)('is malformed when it has %s', ([, patch]) => {
    expect(failure({ a: 1 }, patch).kind).toBe('malformed')
  })
})

describe('members that an operation does not use', () => {
  it('are ignored, as clients send them', () => {
    expect(applied({ x: 1 }, [{ op: 'remove', path: '/x', from: '', value: null }])).toEqual({})
    expect(applied({}, [{ op: 'add', path: '/x', from: 'nonsense', value: 1, note: 'hello' }])).toEqual({ x: 1 })
  })
})

describe('pointers', () => {
  it.for(['/-1', '/01', '/1e0', '/ 1', '/1.0', '/-', '/0x1', '/length', '/3', '/٣'])(
    '%s leads to no element',
    (path) => {
      expect(failure([1, 2, 3], [{ op: 'test', path, value: 1 }]).kind).toBe('conflict')
      expect(failure([1, 2, 3], [{ op: 'remove', path }]).kind).toBe('conflict')
    },
  )

  it('add at the length of an array, and not beyond', () => {
    expect(applied([1], [{ op: 'add', path: '/1', value: 2 }])).toEqual([1, 2])
    expect(failure([1], [{ op: 'add', path: '/2', value: 2 }]).kind).toBe('conflict')
  })

  it('decode ~01 to ~1, not to a slash', () => {
    expect(applied({ '~1': 1 }, [{ op: 'test', path: '/~01', value: 1 }])).toEqual({ '~1': 1 })
  })

  it.for(['/toString', '/hasOwnProperty', '/valueOf/name', '/a/length', '/a/0'])(
    'see no inherited member: %s',
    (path) => {
      expect(failure({ a: 'text' }, [{ op: 'test', path, value: 1 }]).kind).toBe('conflict')
      expect(failure({ a: 'text' }, [{ op: 'copy', from: path, path: '/b' }]).kind).toBe('conflict')
    },
  )
})

describe('prototypes', () => {
  it.for(['/__proto__/polluted', '/constructor/prototype/polluted', '/a/__proto__', '/prototype'])(
    'are out of reach: %s',
    (path) => {
      for (const op of ['add', 'replace', 'remove', 'test'] as const) {
        expect(failure({ a: {} }, [{ op, path, value: true }]).kind).toBe('refused')
      }
      expect(failure({ a: {} }, [{ op: 'copy', from: '/a', path }]).kind).toBe('refused')
      expect(failure({ a: {} }, [{ op: 'move', from: path, path: '/b' }]).kind).toBe('refused')
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    },
  )

  it('do not come in with a value', () => {
    const value = JSON.parse('{"a":[{"__proto__":{"polluted":true}}]}') as Json
    expect(failure({}, [{ op: 'add', path: '/x', value }])).toMatchObject({ kind: 'refused', index: 0 })
    expect(failure({}, [{ op: 'test', path: '', value }]).kind).toBe('refused')
  })

  it('are not where an operation is read from', () => {
    const inherited = Object.create({ op: 'remove', path: '/a' }) as object
    expect(failure({ a: 1 }, [inherited]).kind).toBe('malformed')
  })
})

describe('numbers', () => {
  it.for([2 ** 53, -(2 ** 53), 1e300, -0, Number.NaN, Number.POSITIVE_INFINITY])('%d is refused', (value) => {
    expect(failure({}, [{ op: 'add', path: '/n', value }]).kind).toBe('refused')
    expect(failure({}, [{ op: 'add', path: '/n', value: { deep: [value] } }]).kind).toBe('refused')
  })

  it('up to 2^53 - 1 and fractions are kept as they are', () => {
    const value = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.1, 5e-324]
    expect(applied({}, [{ op: 'add', path: '/n', value }])).toEqual({ n: value })
  })

  it('1 equals 1.0, and is neither "1" nor true', () => {
    const one = JSON.parse('1.0') as Json
    expect(applied({ n: 1 }, [{ op: 'test', path: '/n', value: one }])).toEqual({ n: 1 })
    expect(failure({ n: 1 }, [{ op: 'test', path: '/n', value: '1' }]).kind).toBe('conflict')
    expect(failure({ n: 1 }, [{ op: 'test', path: '/n', value: true }]).kind).toBe('conflict')
  })
})

describe('limits', () => {
  it('a patch of more operations than allowed is refused unread', () => {
    const patch = Array.from({ length: PATCH_LIMITS.ops + 1 }, () => null)
    expect(failure({}, patch)).toMatchObject({ kind: 'limit', index: -1 })
  })

  it('100,000 operations on one array cost no more than as many steps', () => {
    const ops = Array.from({ length: 100_000 }, (_, index) => ({ op: 'add', path: '/-', value: index }))
    const limits = { ops: 100_000, depth: 24, steps: 1_000_000 }
    const outcome = applyPatch([], ops, limits)
    expect(outcome.ok && (outcome.document as readonly Json[]).length).toBe(100_000)
  })

  it('100,000 operations that each move a long array end when their steps are spent', () => {
    const document = Array.from({ length: 100_000 }, () => 0)
    const ops = Array.from({ length: 100_000 }, () => ({ op: 'remove', path: '/0' }))
    const outcome = applyPatch(document, ops, { ...PATCH_LIMITS, ops: 100_000 })
    expect(outcome).toMatchObject({ ok: false, failure: { kind: 'limit', index: expect.any(Number) as number } })
    expect(document).toHaveLength(100_000)
  })

  it('copies of copies end when their steps are spent', () => {
    const bomb = Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/${index}` }))
    const wide = Array.from({ length: 60 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }))
    expect(failure({ 0: 'x'.repeat(1000) }, bomb).kind).toBe('limit')
    expect(failure({ a: ['lol'] }, wide).kind).toBe('limit')
    const long = Array.from({ length: 2000 }, (_, index) => ({ op: 'copy', from: '/a', path: `/${index}` }))
    expect(failure({ a: 'x'.repeat(100_000) }, long)).toMatchObject({ kind: 'limit', index: 9 })
  })

  it('a depth of 10,000 is refused, in a value, in the document and in a pointer', () => {
    const deep = nested(10_000)
    const kind = (document: Json, op: object): string | undefined => {
      const outcome = applyPatch(document, [op])
      return outcome.ok ? undefined : outcome.failure.kind
    }
    expect(failure({}, [{ op: 'add', path: '/a', value: deep }]).kind).toBe('limit')
    expect(kind({ a: deep }, { op: 'copy', from: '/a', path: '/b' })).toBe('limit')
    expect(failure({}, [{ op: 'add', path: '/a'.repeat(10_000), value: 1 }]).kind).toBe('limit')
    expect(
      failure({ a: nested(20), b: nested(20) }, [{ op: 'move', from: '/a', path: '/b/0/0/0/0/0/0/0/0' }]).kind,
    ).toBe('limit')
    expect(kind({ a: deep }, { op: 'test', path: '/a', value: nested(5) })).toBe('conflict')
  })
})

it('what can never be done is malformed, not a race that was lost', () => {
  for (const patch of [[{ op: 'move', from: '/a', path: '/a/b' }], [{ op: 'remove', path: '' }]]) {
    expect(applyPatch({ a: { b: 1 } }, patch)).toMatchObject({ ok: false, failure: { kind: 'malformed' } })
  }
})
