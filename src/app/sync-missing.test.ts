import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { NOTHING_DONE } from '../../test/helpers/nothing-done.ts'
import { silent } from '../core/log.ts'
import { select } from '../core/sync/selection.ts'
import { Missing } from './sync-missing.ts'

it('names models and variables that are neither listed nor here', () => {
  const to = temporaryFolder()
  mkdirSync(join(to, 'here/wind'), { recursive: true })
  const warnings: string[] = []
  const log = { ...silent, warn: (message: string) => void warnings.push(message) }
  const models = { domains: ['listed', 'here', 'mistyped'], variables: ['rain', 'wind', 'rian'] }
  const missing = new Missing(models, to, log)
  missing.watch(select()).covers('listed/rain/chunk_1.om')
  expect(missing.in(NOTHING_DONE)).toMatchObject({
    complete: false,
    failed: 1,
    failures: [{ key: 'mistyped', code: 'NOT_FOUND' }],
  })
  missing.in(NOTHING_DONE)
  expect(warnings).toEqual(['none of the models has rian'])
})

it('says nothing of a word that stands for many variables, nor where all is there', () => {
  const missing = new Missing(
    { domains: ['icon'], variables: ['really_download_all_surface_levels'] },
    temporaryFolder(),
    { ...silent, warn: expect.unreachable },
  )
  missing.watch(select()).covers('icon/static/meta.json')
  expect(missing.in(NOTHING_DONE)).toBe(NOTHING_DONE)
})
