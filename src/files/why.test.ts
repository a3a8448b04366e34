import { mkdirSync, symlinkSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { whyFile } from './why.ts'

const SETTLE_MS = 5000

function why(root: string, key: string, nowMs = Date.now() + 10_000) {
  return whyFile({ root, key, nowMs, settleMs: SETTLE_MS })
}

test('a file that is there is there, and one that was written to just now may not be whole', () => {
  const root = temporaryFolder({ 'a/b.om': 'x' })
  expect(why(root, 'a/b.om')).toEqual({ state: 'there', message: 'a/b.om is there, 1 bytes' })
  expect(why(root, 'a/b.om', Date.now()).state).toBe('being-written')
  // As a program leaves it that sets the time when it is done.
  utimesSync(join(root, 'a/b.om'), new Date(5000), new Date(5000))
  expect(why(root, 'a/b.om', 5500).state).toBe('there')
})

test('what is in the way is named: hidden names, links, folders, files in place of folders', () => {
  const root = temporaryFolder({ 'a/b.om': 'x', 'a/c.om~': 'x', '.flotilla-tmp-1': 'x' })
  symlinkSync('b.om', join(root, 'a/link'))
  symlinkSync('/etc', join(root, 'out'))
  expect(why(root, 'a/c.om~')).toMatchObject({ state: 'hidden', message: expect.stringContaining('a/c.om~') as string })
  expect(why(root, 'a/link').state).toBe('link')
  expect(why(root, 'out/passwd')).toMatchObject({
    state: 'link',
    message: expect.stringContaining('out is a link') as string,
  })
  symlinkSync('.flotilla-generations/run/1-gone', join(root, 'run'))
  expect(why(root, 'run/x.om')).toMatchObject({
    state: 'link',
    message: expect.stringContaining('a generation that is not there') as string,
  })
  expect(why(root, 'a').state).toBe('folder')
  expect(why(root, 'a/b.om/c').state).toBe('in-the-way')
  expect(why(root, '').state).toBe('no-key')
  expect(why(root, 'x'.repeat(1025)).state).toBe('no-key')
})

test('what is not there is said to be so, with the name that was probably meant', () => {
  const root = temporaryFolder({ 'Model/x.om': 'x' })
  expect(why(root, 'nowhere/x.om')).toEqual({ state: 'absent', message: 'there is no nowhere' })
  expect(why(root, 'model/x.om')).toEqual({ state: 'absent', message: 'there is no model; there is Model' })
  expect(why(`${root}/gone`, 'x').state).toBe('unreadable')
})

test('a generation is followed', () => {
  const root = temporaryFolder({ '.flotilla-generations/run/2/x.om': 'x' })
  mkdirSync(join(root, 'models'))
  symlinkSync('../.flotilla-generations/run/2', join(root, 'models/run'))
  expect(why(root, 'models/run/x.om').state).toBe('there')
  expect(why(root, 'models/run/y.om')).toMatchObject({ state: 'absent' })
})
