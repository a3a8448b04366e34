import { join } from 'node:path'
import { expect } from 'vitest'
import { needs } from '../../test/helpers/needs.ts'
import { tinyDisk } from '../../test/helpers/tiny-disk.ts'
import { SyncState } from './state.ts'

const test = await needs({ root: true })

test('a full disk is told as one, and what was remembered before stays', () => {
  const disk = tinyDisk(256)
  const state = SyncState.open(join(disk, 'state.db'), { isDry: false })
  state.transaction(() => state.setFact('before', 'x'))
  const fill = (): void => {
    for (let number = 0; number < 1000; number++) state.setFact(`fact ${number}`, 'y'.repeat(1000))
  }
  expect(() => state.transaction(fill)).toThrow(expect.objectContaining({ code: 'DISK_FULL' }))
  expect(state.fact('before')).toBe('x')
  expect(state.fact('fact 1')).toBeUndefined()
  state.close()
})

test('what could not be remembered together with what followed is known to be lost', () => {
  const disk = tinyDisk(256)
  const state = SyncState.open(join(disk, 'state.db'), { isDry: false })
  state.soon(() => state.setFact('placed', 'x'))
  expect(state.takeLoss()).toBe(false)
  const fill = (): void => {
    for (let number = 0; number < 1000; number++) state.setFact(`fact ${number}`, 'y'.repeat(1000))
  }
  expect(() => {
    state.soon(fill)
    state.transaction(() => undefined)
  }).toThrow(expect.objectContaining({ code: 'DISK_FULL' }))
  expect(state.fact('placed')).toBeUndefined()
  expect(state.takeLoss()).toBe(true)
  expect(state.takeLoss()).toBe(false)
  state.close()
})
