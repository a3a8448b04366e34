import { expect, it } from 'vitest'
import { keys } from '../keys.ts'
import { fencedName, formatFence, parseFence } from './fences.ts'

it('a fence is read as it was written, whatever the contender is called', () => {
  for (const who of ['web1', 'a b@c/d', '%', 'ä']) {
    const key = keys.claim('lock', 'deploy', who)
    const fence = parseFence(formatFence(key, 42))
    expect(fence).toEqual({ kind: 'lock', name: 'deploy', key, revision: 42 })
    expect(fencedName(fence)).toBe('lock/deploy')
  }
})

it.for([
  '',
  'elect/a/b',
  'elect/a/b@',
  'elect/a/b@0',
  'elect/a/b@-1',
  'elect/a/b@1.5',
  'elect/a/b@1e3',
  'elect/a/b/value@3',
  'elect/a/%zz@3',
  'elect/a/%E0%A4%A@3',
  'elect/A/b@3',
  'elect/../b@3',
  'token/a/b@3',
  'elect/a/b@99999999999999999',
  ' elect/a/b@3',
  'elect/a/b@3\n',
])('no fence: %j', (text) => {
  expect(() => parseFence(text)).toThrow('the Fence is not one')
})
