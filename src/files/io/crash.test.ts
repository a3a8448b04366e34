import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { crashPoints, runUntil, someOf } from '../../../test/helpers/crash.ts'
import { temporaryFolder } from '../../../test/helpers/folder.ts'
import { needs } from '../../../test/helpers/needs.ts'
import { NotedIndex } from '../../../test/helpers/noted-index.ts'
import { silent } from '../../core/log.ts'
import { sha256 } from '../../lib/hash.ts'
import { systemClock } from '../../lib/system-clock.ts'
import { openTreeParts } from './parts.ts'
import { openTreeFiles } from './tree-files.ts'
import { openTreeUploads } from './uploads.ts'

const PUTTING = join(import.meta.dirname, '../../../test/helpers/putting.ts')
const DAYS_LATER = { ...systemClock, nowMs: () => Date.now() + 8 * 86_400_000 }
const SMALL = 's'.repeat(30_000)
const WHOLE = '1'.repeat(20_000) + '2'.repeat(20_000) + '3'.repeat(20_000)
const PART = 'p'.repeat(2_400_000)
const TAKEN = 't'.repeat(50_000)

const test = await needs({ tools: ['strace'] })

/** The folder that other programs write to stays. */
function isOurs(path: string): boolean {
  return path.includes('.flotilla-') && !/^\.flotilla-tmp-incoming(\/0)?$/.test(path)
}

async function* rest(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

function textAt(root: string, path: string): string | undefined {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : undefined
}

test(
  'whoever is killed while files come in leaves each old or new, what was acknowledged, and nothing that is not swept',
  { timeout: 3_600_000 },
  async () => {
    const make = (): string => realpathSync(temporaryFolder({ old: 'before' }))
    const points = await crashPoints(PUTTING, [make()])
    for (const point of someOf(points, 1)) {
      const root = make()
      const { stdout } = await runUntil(point, PUTTING, [root])
      const done = new Set(stdout.split('\n'))
      const [old, small, whole] = [textAt(root, 'old'), textAt(root, 'new/folder/small'), textAt(root, 'new/whole')]
      expect(['before', 'n'.repeat(1_200_000)]).toContain(old)
      expect([undefined, SMALL]).toContain(small)
      expect([undefined, WHOLE]).toContain(whole)
      const [part, taken] = [textAt(root, 'new/part'), textAt(root, 'taken')]
      expect([undefined, PART]).toContain(part)
      expect([undefined, TAKEN]).toContain(taken)
      if (done.has('turn') || done.has('part')) expect(part).toBe(PART)
      if (done.has('taken')) expect(taken).toBe(TAKEN)
      if (done.has('old')) expect(old).not.toBe('before')
      if (done.has('whole')) expect(whole).toBe(WHOLE)
      if (done.has('small') && !done.has('whole')) expect(small).toBe(SMALL)
      if (done.has('removed')) expect(small).toBeUndefined()
      // Parts that were acknowledged can be completed by who comes after.
      const files = await openTreeFiles({ root, index: new NotedIndex(), clock: DAYS_LATER, log: silent })
      await files.swept
      const today = await openTreeUploads(files, { clock: systemClock, log: silent })
      const [upload] = await today.list({ prefix: '', afterKey: '', afterId: '', limit: 9 })
      if (done.has('parts') && whole === undefined) {
        const parts = (await today.parts('new/whole', upload?.id ?? '', { after: 0, limit: 9 })) ?? []
        await today.complete('new/whole', upload?.id ?? '', { parts, facts: {} })
        expect(textAt(root, 'new/whole')).toBe(WHOLE)
      }
      // So can what had come of a body, by the same id.
      const parts = await openTreeParts(files, { clock: systemClock, log: silent })
      const came = await parts.bytes('id')
      if (done.has('appended') && part === undefined) {
        expect(came).toBeGreaterThanOrEqual(PART.length / 2)
        const again = await parts.open('id')
        await again.append(rest(PART.slice(came)))
        await again.place('new/part', { size: PART.length, sha256: sha256(PART) })
        await again.close()
        expect(textAt(root, 'new/part')).toBe(PART)
      }
      await openTreeUploads(files, { clock: DAYS_LATER, log: silent })
      await openTreeParts(files, { clock: DAYS_LATER, log: silent })
      expect(readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(isOurs)).toEqual([])
      await files.close()
    }
  },
)
