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

test('a schema may refer to itself as a whole, and to its parts', async () => {
  const schemas = new Schemas()
  const tree = {
    type: 'object',
    properties: { child: { $ref: '#' }, size: { $ref: '#/$defs/size' } },
    $defs: { size: { type: 'integer' } },
  }
  for (const schema of [tree, { $id: 'https://example.org/tree', ...tree }]) {
    await schemas.check('x', schema, { child: { child: { size: 1 } } })
    await expect(schemas.check('x', schema, { child: { child: { size: 'a' } } })).rejects.toThrow('must be integer')
    await expect(schemas.check('x', schema, { child: 3 })).rejects.toThrow('must be object')
  }
})

test.for([{ $ref: '#' }, { $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }] } }, $ref: '#/$defs/a' }])(
  'a schema that never ends matches nothing: %j',
  async (schema) => {
    const matching = new Schemas().check('x', schema, 1)
    await expect(matching).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  },
)
