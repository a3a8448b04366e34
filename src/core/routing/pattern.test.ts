import { performance } from 'node:perf_hooks'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { patternFault, rulePattern } from './pattern.ts'

test.for([
  '^/tiles/([^/]+)/',
  '^/tiles/([^/]+)/.*$',
  '^/(?:a|b)/([a-z0-9-]+)',
  '^/(?:forecast|archive)/v\\d+/(\\w{1,40})\\.(?:nc|grib2?)$',
  '^.*/datasets/([A-Za-z0-9_.-]+)$',
  '^/x(?:/v1)?/([^/]+)',
  '^/([\\w\\-.]{2,20})/$',
])('%s can be a rule', (pattern) => {
  expect(patternFault(pattern)).toBeUndefined()
})

test.for([
  ['^(a+)+$', /group is repeated/],
  ['^(a|a)*b', /group is repeated/],
  ['^.*.*(x)', /two of its repetitions/],
  ['^[a-z]*[a-m]*(m)', /two of its repetitions/],
  [`^${'(?:a|a)'.repeat(20)}(x)`, /too many ways/],
  [`^${'a?'.repeat(30)}${'a'.repeat(30)}(x)`, /too many ways/],
  ['^(a)\\1', /not known/],
  ['^(?=a)(b)', /\(\?/],
  ['^(?<n>a)', /\(\?/],
  ['^a+?(b)', /lazy/],
  ['^a{2}{3}(b)', /repeated/],
  ['/tiles/(x)', /start with \^/],
  ['^/tiles/x', /0 groups/],
  ['^(a)(b)', /2 groups/],
  ['^(a', /has no \)/],
  ['^a)(b)', /has no \(/],
  ['^[a(b)', /has no \]/],
  ['^a|(b)', /inside of/],
  ['^a$b(c)', /stands alone/],
  ['^(a b)', /space/],
  ['^("a)', /quote/],
  ['^(é)', /ASCII/],
  ['^([[:alpha:]])', /write/],
  ['^\\s(a)', /not known/],
  ['^(a{3,1})', /repeats nothing/],
  [`^(${'a'.repeat(200)})`, /longer/],
  [`^${'(?:'.repeat(12)}(a)${')'.repeat(12)}`, /too deep/],
] as const)('%s cannot be a rule', ([pattern, why]) => {
  expect(patternFault(pattern)).toMatch(why)
  expect(() => rulePattern(pattern)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
})

const atom = fc.constantFrom('a', 'b', '/', '.', '\\d', '\\w', '[^/]', '[a-c]', '\\.', '[ab/-]')
const times = fc.constantFrom('', '', '', '*', '+', '?', '{1,3}', '{2}')
const run = fc.array(fc.tuple(atom, times), { minLength: 1, maxLength: 4 }).map((parts) => parts.flat().join(''))
const group = fc.tuple(fc.array(run, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '?'))
const pattern = fc
  .tuple(
    fc.array(
      fc.oneof(
        run,
        group.map(([options, optional]) => `(?:${options.join('|')})${optional}`),
      ),
      { maxLength: 4 },
    ),
    run,
    fc.constantFrom('', '$', '/'),
  )
  .map(([before, key, end]) => `^${before.join('')}(${key})${end}`)

test('whatever passes is an expression, and quick on every path', () => {
  const hostile = ['a', 'ab', '/a', 'a/', 'a.', '1', 'abc/'].map((piece) => piece.repeat(2000).slice(0, 2000))
  let passed = 0
  fc.assert(
    fc.property(pattern, (text) => {
      if (patternFault(text) !== undefined) return
      passed += 1
      const expression = rulePattern(text)
      const started = performance.now()
      for (const path of hostile) expression.exec(`/${path}!`)
      // What is refused takes minutes; what passes takes about a millisecond, also on a busy machine far below this.
      expect(performance.now() - started).toBeLessThan(1000)
    }),
    { numRuns: 1500, seed: 3 },
  )
  expect(passed).toBeGreaterThan(100)
})
