import { expect, test } from 'vitest'
import { leavesBase } from './sample-path.ts'

test.for([
  '/',
  '/tabledap/x.csv?time',
  '/tabledap/x.csv?time&time%3E=now-1day',
  '/griddap/x.nc?sst%5B(last)%5D%5B0:10%5D',
  '/files/x/a..b/c.nc',
  '/info/x/index.csv',
  '/a?next=/../b',
])('%s stays', (path) => {
  expect(leavesBase(path)).toBe(false)
})

test.for([
  '',
  'tabledap/x.csv',
  'http://example.org/',
  '//example.org/x',
  '/..',
  '/../manager/html',
  '/a/../../manager',
  '/%2e%2e/manager',
  '/%2E./manager',
  '/%252e%252e/manager',
  '/..;x/manager',
  '/..;/manager',
  '/a/..%2f..%2fmanager',
  '/a%5c..%5cmanager',
  '/a\\..\\manager',
  '/a/./b',
  '/a b',
  '/a#b',
  '/%zz',
  '/%00',
  '/x\r\nHost: y',
  '/%25252525252e%25252525252e/',
  '/é',
])('%j may lead out', (path) => {
  expect(leavesBase(path)).toBe(true)
})
