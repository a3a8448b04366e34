import { expect, test } from 'vitest'
import { Schemas } from './schemas.ts'

test('a schema that takes too long spoils no other', async () => {
  const schemas = new Schemas(50)
  const slow = { oneOf: Array.from({ length: 1200 }, (_, at) => ({ properties: { [`a${at}`]: { minLength: at } } })) }
  await expect(schemas.check('x', slow)).rejects.toThrow('takes longer than 50 ms')
  // On a busy machine even this may take longer, once.
  await expect
    .poll(async () => schemas.check('x', { type: 'string' }, 'text').then(() => 'matches', String))
    .toBe('matches')
  await expect(schemas.check('x', { type: 'string' }, 1)).rejects.toThrow('must be string')
})
