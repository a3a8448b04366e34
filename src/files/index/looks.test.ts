import { expect, test } from 'vitest'
import { Looks } from './looks.ts'

function ready(looks: Looks, nowMs: number): readonly string[] {
  looks.wake(nowMs)
  const taken: string[] = []
  for (let path = looks.take(); path !== undefined; path = looks.take()) taken.push(path)
  return taken
}

test('what was heard once of our own doing is not looked at when it was noted', () => {
  const looks = new Looks(10)
  looks.waitOnce('a', 20)
  looks.waitOnce('b', 20)
  looks.forgetOnce('a')
  expect(ready(looks, 20)).toEqual(['b'])
})

test('what is heard of it besides, before or after, is looked at', () => {
  const looks = new Looks(10)
  looks.waitOnce('twice', 20)
  looks.waitOnce('twice', 20)
  looks.waitOnce('by others', 20)
  looks.add('by others')
  looks.add('before')
  looks.waitOnce('before', 20)
  looks.waitOnce('put off', 20)
  looks.wait('put off', 20)
  for (const path of ['twice', 'by others', 'before', 'put off']) looks.forgetOnce(path)
  expect(ready(looks, 20).toSorted()).toEqual(['before', 'by others', 'put off', 'twice'])
  looks.forgetOnce('after')
  looks.waitOnce('after', 40)
  expect(ready(looks, 40)).toEqual(['after'])
})
