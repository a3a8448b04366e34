import { expect, it } from 'vitest'
import { filesTarget } from './files-target.ts'

it('knows a bandwidth before it is used', () => {
  const target = { kind: 'files', from: ['cluster'], folder: '/srv' }
  expect(filesTarget.safeParse({ ...target, bandwidth: '08:00,10M 18:00,off' }).success).toBe(true)
  expect(filesTarget.safeParse({ ...target, bandwidth: 'fast' }).success).toBe(false)
})
