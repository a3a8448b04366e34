import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { silent } from '../core/log.ts'
import { select } from '../core/sync/selection.ts'
import type { Summary } from '../core/sync/summary.ts'
import { Missing } from './sync-missing.ts'

const NOTHING: Summary = {
  complete: true,
  listed: 0,
  fetched: 0,
  travelled: 0,
  bytes: 0,
  adopted: 0,
  touched: 0,
  deleted: 0,
  held: 0,
  failures: [],
  failed: 0,
  refused: undefined,
  flipped: [],
  staged: [],
  durationMs: 1,
}

it('names models and variables that are neither listed nor here', () => {
  const to = temporaryFolder()
  mkdirSync(join(to, 'here/wind'), { recursive: true })
  const warnings: string[] = []
  const log = { ...silent, warn: (message: string) => void warnings.push(message) }
  const models = { domains: ['listed', 'here', 'mistyped'], variables: ['rain', 'wind', 'rian'] }
  const missing = new Missing(models, to, log)
  missing.watch(select()).covers('listed/rain/chunk_1.om')
  expect(missing.in(NOTHING)).toMatchObject({
    complete: false,
    failed: 1,
    failures: [{ key: 'mistyped', code: 'NOT_FOUND' }],
  })
  missing.in(NOTHING)
  expect(warnings).toEqual(['none of the models has rian'])
})

it('says nothing of a word that stands for many variables, nor where all is there', () => {
  const missing = new Missing(
    { domains: ['icon'], variables: ['really_download_all_surface_levels'] },
    temporaryFolder(),
    { ...silent, warn: expect.unreachable },
  )
  missing.watch(select()).covers('icon/static/meta.json')
  expect(missing.in(NOTHING)).toBe(NOTHING)
})
