import { expect, test } from 'vitest'
import { withCandidate, withoutFlags } from './candidates.ts'
import type { Flagged } from './node-state.ts'

const version = (digest: string) => ({ digest, version: `file of ${digest}` })
const flag = (digest: string): Flagged => ({
  ...version(digest),
  kind: 'soft',
  atMs: 1,
  attempts: 1,
  wasAbsent: false,
  failure: undefined,
})

test('a flag that is let go leaves what it was set for as one of the definitions that may be loaded', () => {
  const state = {
    loaded: new Map([['a', version('one')]]),
    maybe: new Map([['b', [version('x')]]]),
    flagged: new Map([
      ['a', flag('two')],
      ['b', flag('y')],
      ['c', flag('z')],
      ['gone', flag('')],
    ]),
  }
  const { maybe, flagged } = withoutFlags(state, (id) => id !== 'c')
  expect([...flagged.keys()]).toEqual(['c'])
  expect([...maybe]).toEqual([
    ['b', [version('x'), version('y')]],
    ['a', [version('two')]],
  ])
})

test('one that is known to be loaded is no candidate, and many are counted as more than are kept', () => {
  const loaded = new Map([['a', version('one')]])
  expect(withCandidate({ loaded, maybe: new Map() }, 'a', version('one'))).toEqual([])
  let maybe = new Map<string, readonly { digest: string; version: string }[]>()
  for (const digest of ['2', '3', '4', '5', '6', '7']) {
    maybe = new Map([['a', withCandidate({ loaded, maybe }, 'a', version(digest))]])
  }
  expect(maybe.get('a')?.map(({ digest }) => digest)).toEqual(['', '5', '6', '7'])
})
