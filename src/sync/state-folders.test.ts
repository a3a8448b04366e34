import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { SyncState } from './state.ts'

const part = fc.constantFrom('a', 'b', 'a!', 'a-b', '0', 'z~')
const key = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))

it('knows which files lie in a folder itself, however much lies below', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(key, { maxLength: 30 }),
      fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
      (keys, moved) => {
        const state = SyncState.open(':memory:', { isDry: false })
        const places = keys.map((name, index) => (moved[index] === true ? `elsewhere/${name}` : name))
        state.transaction(() => {
          for (const [index, name] of keys.entries()) {
            const entry = { key: name, size: 1, modifiedMs: 1, etag: '' }
            state.put({ entry, origin: 0, placed: undefined, path: moved[index] === true ? places[index] : undefined })
          }
        })
        const folders = new Set(
          places.flatMap((path) => path.split('/').map((_, depth, parts) => parts.slice(0, depth).join('/'))),
        )
        for (const folder of folders) {
          const direct = places.filter((path) => path.split('/').slice(0, -1).join('/') === folder)
          const found = [...state.filesIn(folder)].map(({ entry, path }) => path ?? entry.key)
          expect(found.toSorted(), `in ${folder}`).toEqual(direct.toSorted())
        }
        state.close()
      },
    ),
    { numRuns: 300 },
  )
})
