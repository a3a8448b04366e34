import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { meets, placesOf, valueOf } from './conditions.ts'
import { matchesIn, parseLinearPattern } from './linear-pattern.ts'

describe('a pattern', () => {
  const zPattern = fc.stringMatching(
    /^(?:[abc.]|\[\^?a-b\]|\\[dw]|\((?:a|bc)(?:\|b)?\))(?:[*+?]|\{1,2\})?(?:[abc]|\(a\|b\)[*+?]?|\^|\$){0,4}$/,
  )

  it('matches what the regular expressions of JavaScript match', () => {
    fc.assert(
      fc.property(zPattern, fc.stringMatching(/^[abc1]{0,8}$/), (source, text) => {
        expect(matchesIn(parseLinearPattern(source), text)).toBe(new RegExp(source).test(text))
      }),
      { numRuns: 2000 },
    )
  })

  it.for([
    ['^ready$', 'ready', true],
    ['^ready$', 'already', false],
    ['v1\\.(?:[3-9]|\\d{2,})', 'v1.12', true],
    ['v1\\.(?:[3-9]|\\d{2,})', 'v1.2', false],
    ['a{3}', 'aa', false],
    ['^[^\\s]+$', 'a b', false],
    ['^$', '', true],
    ['[]x]', ']', true],
    ['ä+', 'bär', true],
  ] as const)('%s on %s: %s', ([source, text, matches]) => {
    expect(matchesIn(parseLinearPattern(source), text)).toBe(matches)
  })

  it.for([
    '(',
    ')',
    'a**',
    'a+?',
    '*',
    '[a',
    'a\\',
    '(?=a)',
    '(?<x>a)',
    '\\1',
    '[b-a]',
    'a{2,1}',
    'a{101}',
    'x'.repeat(257),
  ])('is refused when it is %s', (source) => {
    expect(() => parseLinearPattern(source)).toThrow('the pattern cannot be used')
  })

  it('that would take for ever elsewhere takes a moment', () => {
    const pattern = parseLinearPattern('^(a+)+(a|aa)*$')
    expect(matchesIn(pattern, `${'a'.repeat(16_000)}b`)).toBe(false)
  })

  it('that is huge when it is written out is refused', () => {
    expect(() => parseLinearPattern('((a{100}){100}){100}')).toThrow('too large')
    expect(() => parseLinearPattern('(((a?b?c?d?e?f?g?h?i?){0,4}(a|b|c|d|e)*){0,4})*z')).toThrow('too large')
  })

  it('takes more places of those who wait the more there is to look at, and texts that are long do not match', () => {
    const places = (source: string) => placesOf({ is: 'matches', pattern: parseLinearPattern(source) })
    expect(placesOf({ is: 'exists' })).toBe(1)
    expect([places('^ok$'), places('a{100}'), places('(a?b?){40}') > 35]).toEqual([2, 26, true])
    const pattern = parseLinearPattern('a')
    expect(meets({ is: 'matches', pattern }, 'a'.repeat(1024))).toBe(true)
    expect(meets({ is: 'matches', pattern }, 'a'.repeat(1025))).toBe(false)
  })
})

describe('a condition', () => {
  const profile = {
    params: { ready: true, n: 3, at: { b: 1, a: [1, 2] }, name: 'web-1', nothing: null },
    meta: { icon: 'ship' },
  }
  const value = (key: string) => valueOf(profile, { in: 'params', key })

  it('looks at own members only', () => {
    expect(value('ready')).toBe(true)
    expect(value('toString')).toBeUndefined()
    expect(value('__proto__')).toBeUndefined()
    expect(valueOf(profile, { in: 'meta', key: 'icon' })).toBe('ship')
    expect(valueOf('text', { in: 'params', key: 'length' })).toBeUndefined()
    expect(valueOf(undefined, { in: 'params', key: 'ready' })).toBeUndefined()
  })

  it('is met by what it says and by nothing else', () => {
    expect(meets({ is: 'equals', value: { a: [1, 2], b: 1 } }, value('at'))).toBe(true)
    expect(meets({ is: 'equals', value: '3' }, value('n'))).toBe(false)
    expect(meets({ is: 'equals', value: null }, value('nothing'))).toBe(true)
    expect(meets({ is: 'equals', value: null }, value('missing'))).toBe(false)
    expect(meets({ is: 'exists' }, value('nothing'))).toBe(true)
    expect(meets({ is: 'absent' }, value('missing'))).toBe(true)
    const pattern = parseLinearPattern('^web-\\d$')
    expect(meets({ is: 'matches', pattern }, value('name'))).toBe(true)
    expect(meets({ is: 'matches', pattern: parseLinearPattern('"a":\\[1') }, value('at'))).toBe(true)
    expect(meets({ is: 'matches', pattern }, value('missing'))).toBe(false)
  })
})
