import { createHash, createHmac } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Secret } from '../../lib/secret.ts'
import { type Message, readMessage, readReply, signMessage, signReply, WIRE_LIMITS } from './wire.ts'

const SECRET = new Secret('correct horse battery staple')

/** Made with Python: `itsdangerous.URLSafeSerializer(SECRET, 'command_message_serializer').dumps(…)`, version 2.2. */
const COMPILE =
  '.eJwljEEKgzAUBe_y1vmQYKzoVaSUb_ITgjUpRulCvHsD3Q0MMxcyb4IJrmyf9JaX54OrHBUKvMeKaX4qrN8_X7dCirnsrZiRixdiNB_P5NtDL4P0' +
  'oXP0CFrIcq9p9NpRF-xigpUxGIP7B6FCJAA.QhRkaW8GaxjyKq342hAAQv3iyDA'
const RELOAD =
  '.eJzFj0EKwjAQRe8y6wRS2yrN0muIlGkzE4uxgUyCSOndrdY7uHvw-PD-AjM-CCwkChFd7zCjUBZQgMkL2MtVwf258wI_3U9um4wRJZ9LfIn6F26Z' +
  'HNCDNR8ocgPLGIRWBZOfY6L9gC_fYDOcqOV61Ec2pBtsje6cGXXNzVBxQx1XB1jfVgNhKg.KIbLi4bWjikz08O-oGAfqQttsq0'
const REPLY =
  'eyJtZXNzYWdlIjoiUsOpdXNzaSDigJMgZmluIiwic3RhdGUiOiJzdWNjZXNzIiwiZ3VpZCI6bnVsbH0.p_wOk18yzpSc4wiJqVrOL_eWSuY'

test('reads what ERDDAPUtil signs, deflated and plain', () => {
  expect(readMessage(COMPILE, SECRET)).toEqual({
    name: 'compile_datasets',
    kwargs: {},
    ignore: ['node-a'],
    guid: '0b7e5f3c-6f0e-4a50-9d0c-3f4b1f4e9f11',
  })
  expect(readMessage(RELOAD, SECRET).kwargs).toEqual({
    dataset_id: Array.from({ length: 12 }, () => 'coastBuoys').join(','),
    flag: 0,
    flush: false,
  })
  expect(readReply(REPLY, SECRET)).toEqual({ message: 'Réussi – fin', state: 'success', guid: null })
})

test('signs as ERDDAPUtil does, to the byte', () => {
  expect(signReply({ message: 'Réussi – fin', state: 'success', guid: null }, SECRET)).toBe(REPLY)
})

const message = fc.record({
  name: fc.string({ maxLength: 100 }),
  kwargs: fc.dictionary(fc.string({ maxLength: 20 }), fc.oneof(fc.string(), fc.boolean(), fc.integer())),
  ignore: fc.array(fc.string({ maxLength: 40 }), { maxLength: 5 }),
  guid: fc.string({ minLength: 1, maxLength: 40 }),
}) satisfies fc.Arbitrary<Message>

test('what is signed is read again as the same, and by no other secret', () => {
  fc.assert(
    fc.property(message, (one) => {
      fc.pre(!Object.keys(one.kwargs).includes('__proto__'))
      const token = signMessage(one, SECRET)
      expect(readMessage(token, SECRET)).toEqual(one)
      expect(() => readMessage(token, new Secret('another'))).toThrow('is not signed with')
    }),
  )
})

test('no character of a message can be changed', () => {
  for (let at = 0; at < COMPILE.length - 1; at++) {
    const other = COMPILE[at] === 'A' ? 'B' : 'A'
    expect(() => readMessage(COMPILE.slice(0, at) + other + COMPILE.slice(at + 1), SECRET)).toThrow()
  }
})

function signed(payload: string): string {
  const key = createHash('sha1').update('command_message_serializersigner').update(SECRET.reveal()).digest()
  return `${payload}.${createHmac('sha1', key).update(payload).digest('base64url')}`
}

test('what is signed and still no message is refused, and nothing is inflated without a limit', () => {
  const bomb = deflateSync(Buffer.alloc(WIRE_LIMITS.jsonBytes + 1, 0x20)).toString('base64url')
  const bad = ['', '.', 'e30', 'bnVsbA', 'WzFd', '!!!', `.${bomb}`, Buffer.from('{"name":1}').toString('base64url')]
  for (const payload of bad) expect(() => readMessage(signed(payload), SECRET)).toThrow()
  expect(() => readMessage('x'.repeat(WIRE_LIMITS.tokenChars + 1), SECRET)).toThrow('is not signed with')
  for (const token of ['', '.', '..', 'a.b', '.a']) expect(() => readMessage(token, SECRET)).toThrow('is not signed')
})
