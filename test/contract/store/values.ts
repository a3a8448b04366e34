import { expect, it } from 'vitest'
import { STORE_LIMITS } from '../../../src/core/store.ts'
import { commit, del, type OpenStore, put, rejects, revisionOf, ROOT, using, watchTo } from './under-test.ts'

const MIB = 1024 * 1024

const VALUES: Readonly<Record<string, string>> = {
  empty: '',
  'NUL and other control characters': 'a\u0000b\u0001\u001f\u007f\u0085\r\n\t',
  'letters of many scripts': 'Grüße, Ελλάδα, Привет, 你好, مرحبا, नमस्ते',
  'characters beyond the 16-bit range': '\u{1f6a2}\u{10ffff}\u{1f468}\u200d\u{1f469}',
  'a byte order mark and non-characters': '\ufeffx\ufffe\uffff\ufffd',
  'combining marks, kept as they are': 'e\u0301 \u00e9',
  'line separators': '\u2028\u2029',
  'quotes and markup': `'"\\\`</script><!--\${x}%00%s; DROP TABLE entries`,
  'text that looks like a number': '-0.10e400',
}

/** Keys that break naive implementations: paths, queries, patterns, and names that objects have by themselves. */
const KEYS: readonly string[] = [
  't/__proto__',
  't/constructor',
  't/toString',
  't/hasOwnProperty',
  't/../up',
  't//double',
  't/.',
  't/%',
  't/%2e%2e%2f',
  't/%00',
  't/*',
  't/_',
  't/[a-z]?',
  't/?prefix=x&after=1#fragment',
  't/a+b;c,d=e:f@g',
  `t/'"\\\``,
  't/{}|^~',
  't/<&>',
  '__proto__',
]

export function valueTests(open: OpenStore): void {
  for (const [what, value] of Object.entries(VALUES)) {
    it(
      `a value comes back unchanged from get, list and watch: ${what}`,
      using(open, async (store) => {
        const base = await revisionOf(store)
        const revision = await commit(store, put('t/a', value))
        const entry = { key: 't/a', value, revision }
        expect(await store.get('t/a')).toEqual(entry)
        expect((await store.list(ROOT)).entries).toEqual([entry])
        expect(await watchTo(store, ROOT, base, revision)).toEqual([{ revision, changes: [{ op: 'put', entry }] }])
      }),
    )
  }

  it(
    'hostile keys are keys like any other',
    using(open, async (store) => {
      for (const key of KEYS) {
        const revision = await commit(store, put(key, `value of ${key}`))
        const entry = { key, value: `value of ${key}`, revision }
        expect(await store.get(key)).toEqual(entry)
        expect((await store.list(key)).entries).toContainEqual(entry)
        expect(await watchTo(store, key, revision - 1, revision)).toEqual([
          { revision, changes: [{ op: 'put', entry }] },
        ])
      }
      const listed = (await store.list(ROOT)).entries.map(({ key }) => key)
      expect(listed).toEqual(KEYS.filter((key) => key.startsWith(ROOT)).toSorted())
      for (const key of KEYS) await commit(store, del(key))
      expect((await store.list(ROOT)).entries).toEqual([])
    }),
  )

  it(
    'keys sort by code unit, whatever order they were written in',
    using(open, async (store) => {
      const every = Array.from({ length: 94 }, (_, index) => `t/${String.fromCharCode(33 + index)}`)
      const keys = [...every, 't/Aa', 't/aA', 't/a/b', 't/a-b', 't/10', 't/99', 't/~~']
      await commit(store, ...keys.toReversed().map((key) => put(key, '')))
      expect((await store.list(ROOT)).entries.map(({ key }) => key)).toEqual(keys.toSorted())
    }),
  )

  it(
    'a prefix is compared character by character and covers nothing beside it',
    using(open, async (store) => {
      const keys = [
        't/A',
        't/a',
        't/a!',
        't/a/',
        't/a/x',
        't/a~',
        't/ab',
        't/a~~',
        't/b',
        't/a_',
        't/aX',
        't/~',
        't/~~',
      ]
      await commit(store, ...keys.map((key) => put(key, '')))
      for (const prefix of ['t/a', 't/a/', 't/ab', 't/a_', 't/a~', 't/~', 't/a/x', 't/c', 't/a/x/']) {
        const expected = keys.filter((key) => key.startsWith(prefix)).toSorted()
        expect((await store.list(prefix)).entries.map(({ key }) => key)).toEqual(expected)
      }
    }),
  )

  limitTests(open)
}

function limitTests(open: OpenStore): void {
  it(
    'what is exactly at a limit is taken',
    using(open, async (store) => {
      const key = `t/${'k'.repeat(STORE_LIMITS.keyLength - 2)}`
      // Two bytes a character, and a mebibyte in all.
      const value = 'é'.repeat(MIB / 2)
      await commit(store, put(key, value))
      expect((await store.get(key))?.value).toBe(value)
      await commit(store, ...Array.from({ length: STORE_LIMITS.changes }, (_, index) => put(`t/${index}`, 'x')))
      expect((await store.list(ROOT)).entries).toHaveLength(STORE_LIMITS.changes + 1)
      await commit(store, ...['a', 'b', 'c', 'd'].map((name) => put(`t/${name}`, name.repeat(MIB))))
    }),
  )

  it(
    'what is over a limit is refused with TOO_LARGE and changes nothing',
    using(open, async (store) => {
      const base = await revisionOf(store)
      const fine = put('t/fine', '')
      const longKey = `t/${'k'.repeat(STORE_LIMITS.keyLength - 1)}`
      const over = [
        [fine, put('t/a', 'x'.repeat(MIB + 1))],
        [fine, put('t/a', `${'x'.repeat(MIB - 2)}€`)],
        [fine, put('t/a', '\u{1f6a2}'.repeat(MIB / 4 + 1))],
        [fine, put(longKey, '')],
        [fine, del(longKey)],
        Array.from({ length: STORE_LIMITS.changes + 1 }, (_, index) => put(`t/${index}`, '')),
        [...['a', 'b', 'c', 'd'].map((name) => put(`t/${name}`, name.repeat(MIB))), put('t/e', 'e')],
      ]
      for (const changes of over) await rejects(store.commit({ changes }), 'TOO_LARGE')
      const many = Array.from({ length: STORE_LIMITS.expectations + 1 }, () => ({ key: 't/a', revision: 0 }))
      await rejects(store.commit({ expect: many, changes: [fine] }), 'TOO_LARGE')
      await rejects(store.get(longKey), 'TOO_LARGE')
      await rejects(store.list(longKey), 'TOO_LARGE')
      expect(await store.list(ROOT)).toEqual({ entries: [], revision: base })
    }),
  )

  it(
    'what is malformed is refused with BAD_REQUEST and changes nothing',
    using(open, async (store) => {
      const base = await revisionOf(store)
      for (const key of ['', 't/a b', 't/é', 't/\n', 't/\u0000', 't/\u{1f6a2}', 't/\u007f']) {
        await rejects(store.commit({ changes: [put('t/fine', ''), put(key, '')] }), 'BAD_REQUEST')
        await rejects(store.commit({ changes: [del(key)] }), 'BAD_REQUEST')
        await rejects(store.commit({ expect: [{ key, revision: 0 }], changes: [] }), 'BAD_REQUEST')
        await rejects(store.get(key), 'BAD_REQUEST')
        if (key !== '') await rejects(store.list(key), 'BAD_REQUEST')
      }
      for (const value of ['\ud800', 'a\udc00b', '\udc00\ud800']) {
        await rejects(store.commit({ changes: [put('t/fine', ''), put('t/a', value)] }), 'BAD_REQUEST')
      }
      for (const revision of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        const expectation = { key: 't/a', revision }
        await rejects(store.commit({ expect: [expectation], changes: [put('t/fine', '')] }), 'BAD_REQUEST')
      }
      expect(await store.list(ROOT)).toEqual({ entries: [], revision: base })
    }),
  )
}
