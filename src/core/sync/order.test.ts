import { expect, test } from 'vitest'
import { glob } from './glob.ts'
import { groupOf } from './order.ts'

test('a group is the topmost folder that a pattern means, with or without a slash at its end', () => {
  for (const text of ['runs/*', 'runs/*/', '{runs,old}/*/']) {
    const groups = [glob(text)]
    expect(groupOf('runs/2026030100/a.om', groups), text).toBe('runs/2026030100')
    expect(groupOf('runs/2026030100/deep/b.om', groups), text).toBe('runs/2026030100')
    expect(groupOf('runs/latest.json', groups), text).toBeUndefined()
    expect(groupOf('data/runs/2026030100/a.om', groups), text).toBeUndefined()
  }
  expect(groupOf('any/where/icon/a.om', [glob('icon/')])).toBe('any/where/icon')
  expect(groupOf('icon', [glob('icon/')])).toBeUndefined()
  expect(groupOf('runs/1/a.om', [])).toBeUndefined()
})
