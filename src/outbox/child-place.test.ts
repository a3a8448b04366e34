import { expect, test } from 'vitest'
import { refuseTwice } from './child-place.ts'

test('a child that is named twice is refused, however it is written', () => {
  refuseTwice(['http://a:1', 'http://a:2', 'http://b:1', 'http://a:1/other'], 'music')
  for (const twice of ['http://a:1', 'http://a:1/', 'http://A:1', 'http://a:1/music']) {
    expect(() => refuseTwice(['http://a:1', 'http://b:1', twice], 'music')).toThrow('http://a:1 is named twice')
  }
})
