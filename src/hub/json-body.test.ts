import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseJson } from './json-body.ts'

const LIMITS = { depth: 32, members: 1000 }
const parse = (text: string): unknown => parseJson(Buffer.from(text), LIMITS)
const refuses = (text: string, message: RegExp): void => {
  expect(() => parse(text)).toThrow(
    expect.objectContaining({ code: 'BAD_REQUEST', message: expect.stringMatching(message) }),
  )
}

const members = (count: number): string => `{${Array.from({ length: count }, (_, index) => `"m${index}":0`).join()}}`

describe('a JSON body', () => {
  it('is parsed as JSON.parse does, whatever it holds', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.constantFrom(undefined, 1, '\t'), (json, space) => {
        const text = JSON.stringify(JSON.parse(json), undefined, space)
        fc.pre(!/__proto__|constructor|prototype|-0\b|\d{16}|e\+/.test(text))
        expect(parse(text)).toEqual(JSON.parse(text))
      }),
    )
  })

  it('is never taken where JSON.parse refuses it', () => {
    const broken = fc
      .tuple(
        fc.json({ maxDepth: 4 }),
        fc.nat(),
        fc.constantFrom('', '"', '{', ']', ',', ':', '\\', '0', '-', 'x', '\u0000'),
      )
      .map(([json, at, insert]) => {
        const place = at % (json.length + 1)
        return json.slice(0, place) + insert + json.slice(place + 1)
      })
    fc.assert(
      fc.property(broken, (text) => {
        let isValid = true
        try {
          JSON.parse(text)
        } catch {
          isValid = false
        }
        if (!isValid) expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
      }),
    )
  })

  it('10,000 deep is refused, not a stack overflow', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      refuses(open.repeat(10_000) + close.repeat(10_000), /deeper than 32/)
      refuses(open.repeat(1_000_000), /deeper than 32/)
    }
    expect(parse('['.repeat(32) + ']'.repeat(32))).toBeDefined()
    refuses('['.repeat(33) + ']'.repeat(33), /deeper/)
  })

  it('with a member twice is refused, at any depth and however it is spelled', () => {
    refuses('{"a":1,"a":2}', /"a" occurs twice/)
    refuses('{"a":1,"b":[{"c":1 , "c"\n:2}]}', /"c" occurs twice/)
    refuses('{"a":1,"\\u0061":2}', /occurs twice/)
    expect(parse('{"a":{"a":1},"b":[{"a":1},{"a":2}]}')).toEqual({ a: { a: 1 }, b: [{ a: 1 }, { a: 2 }] })
    expect(parse('{"a":"a\\":1,\\"a","b":"\\\\"}')).toEqual({ a: 'a":1,"a', b: '\\' })
  })

  it('with a name that reaches a prototype is refused, also when it is escaped', () => {
    refuses('{"__proto__":{"admin":true}}', /__proto__/)
    refuses('{"a":{"\\u005f_proto__":1}}', /__proto__/)
    refuses('{"constructor":{"prototype":{"admin":true}}}', /constructor/)
    expect(parse('{"a":"__proto__"}')).toEqual({ a: '__proto__' })
    expect(({} as { admin?: boolean }).admin).toBeUndefined()
  })

  it('with a number that cannot be held exactly is refused', () => {
    for (const text of ['1e400', '-1e400', '9007199254740993', '[1,-0]', '{"a":-0.0}', '1E+308']) {
      refuses(text, /cannot be held exactly/)
    }
    expect(parse('[9007199254740991,-9007199254740991,0,0.5,1e3,-2]')).toHaveLength(6)
  })

  it('with more members than the limit is refused', () => {
    expect(() => parse(members(1001))).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
    expect(Object.keys(parse(members(1000)) as object)).toHaveLength(1000)
  })

  it('with more elements than the limit is refused, in one array or in many', () => {
    const over = expect.objectContaining({ code: 'TOO_LARGE' })
    expect(() => parse(`[${'0,'.repeat(1000)}0]`)).toThrow(over)
    expect(() => parse(`[${'[],'.repeat(600)}[]]`)).toThrow(over)
    expect(() => parse(`{"a":[${'{},'.repeat(1000)}{}]}`)).toThrow(over)
    expect(parse(`[${'0,'.repeat(999)}0]`)).toHaveLength(1000)
  })

  it('that is not UTF-8 is refused', () => {
    for (const bytes of [
      [0x22, 0xc0, 0xaf, 0x22],
      [0x22, 0xff, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(() => parseJson(Buffer.from(bytes), LIMITS)).toThrow('UTF-8')
    }
  })
})
