import { expect, it } from 'vitest'
import { changed, shown } from './progress.ts'

it('a change sets what it names, takes away what is null, and leaves the rest', () => {
  const before = { icon: 'ship', percent: 10, message: 'starting', updatedAtMs: 1 }
  expect(changed(before, { percent: 0, message: null, phase: 'install' }, 7)).toEqual({
    icon: 'ship',
    percent: 0,
    phase: 'install',
    updatedAtMs: 7,
  })
})

it('who leads something shows it, unless it shows something else', () => {
  expect(shown({ percent: 5 }, ['db'])).toEqual({ icon: 'anchor', color: 'purple', percent: 5 })
  expect(shown({ icon: 'crown' }, ['db'])).toEqual({ icon: 'crown', color: 'purple' })
  expect(shown({ percent: 5 }, [])).toEqual({ percent: 5 })
})
