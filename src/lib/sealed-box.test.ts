import { expect, test } from 'vitest'
import { newBoxKeys, open, seal } from './sealed-box.ts'
import { Secret } from './secret.ts'

const CONTENT = Buffer.from('keystore bytes')
const context = 'node b, request 1'
const corrupt = expect.objectContaining({ code: 'CORRUPT' }) as Error

test('a box opens for whom it was sealed, and is another one each time', () => {
  const keys = newBoxKeys()
  const box = seal(CONTENT, keys.publicKey, { context })
  expect(Buffer.from(open(box, keys, { context }))).toEqual(CONTENT)
  expect(seal(CONTENT, keys.publicKey, { context })).not.toBe(box)
  expect(Buffer.from(box, 'base64url').includes(CONTENT)).toBe(false)
  expect(Buffer.from(open(seal(new Uint8Array(), keys.publicKey, { context }), keys, { context }))).toEqual(
    Buffer.alloc(0),
  )
})

test('a box does not open with another key, context or code', () => {
  const keys = newBoxKeys()
  const code = new Secret('K7Q2')
  const box = seal(CONTENT, keys.publicKey, { context, code })
  expect(Buffer.from(open(box, keys, { context, code }))).toEqual(CONTENT)
  expect(() => open(box, newBoxKeys(), { context, code })).toThrow(corrupt)
  expect(() => open(box, keys, { context: 'node b, request 2', code })).toThrow(corrupt)
  expect(() => open(box, keys, { context, code: new Secret('K7Q3') })).toThrow(corrupt)
  expect(() => open(box, keys, { context })).toThrow(corrupt)
  expect(() => open(seal(CONTENT, keys.publicKey, { context }), keys, { context, code })).toThrow(corrupt)
})

test('no byte of a box can be changed, cut off or added', () => {
  const keys = newBoxKeys()
  const box = Buffer.from(seal(CONTENT, keys.publicKey, { context }), 'base64url')
  for (let at = 0; at < box.byteLength; at++) {
    const changed = Buffer.from(box)
    changed[at] = (changed[at] ?? 0) ^ 1
    // The highest bit of a key of X25519 alone does not count; it is in what is signed.
    expect(() => open(changed.toString('base64url'), keys, { context }), `byte ${at}`).toThrow(corrupt)
  }
  expect(() => open(box.subarray(0, -1).toString('base64url'), keys, { context })).toThrow(corrupt)
  expect(() => open(Buffer.concat([box, Buffer.alloc(1)]).toString('base64url'), keys, { context })).toThrow(corrupt)
  expect(() => open('', keys, { context })).toThrow(corrupt)
})

test('whoever puts their own key in the place of the right one cannot read what a code protects', () => {
  const thief = newBoxKeys()
  const code = new Secret('K7Q2')
  const box = seal(CONTENT, thief.publicKey, { context, code })
  expect(() => open(box, thief, { context })).toThrow(corrupt)
  expect(() => open(box, thief, { context, code: new Secret('guess') })).toThrow(corrupt)
})

test('keys that are none, or that everybody knows the result of, seal nothing', () => {
  for (const key of ['', 'abc', Buffer.alloc(32).toString('base64url'), Buffer.alloc(33, 1).toString('base64url')]) {
    expect(() => seal(CONTENT, key, { context })).toThrow(corrupt)
  }
})
