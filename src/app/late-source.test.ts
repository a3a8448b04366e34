import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/helpers/folder.ts'
import { silent } from '../core/log.ts'
import { systemClock } from '../lib/system-clock.ts'
import { openSync } from './sync.ts'

/** Nothing listens at port 1. */
const DEAD = 'http://127.0.0.1:1/data'

async function sync(from: readonly string[], to: string) {
  const { signal } = new AbortController()
  const what = { prefixes: [], include: [], exclude: [], days: undefined }
  const deps = { clock: systemClock, log: silent, env: {}, signal }
  const opened = await openSync({ from, to, what, apikey: undefined, s3: undefined }, { concurrent: undefined }, deps)
  try {
    return await opened.round(signal)
  } finally {
    await opened.close()
  }
}

it('a source that never answered does not hold up a first sync from another one', async () => {
  const folder = temporaryFolder()
  const [data, to] = [join(folder, 'data'), join(folder, 'to')]
  mkdirSync(data)
  writeFileSync(join(data, 'a'), 'one')
  expect(await sync([DEAD, data], to)).toMatchObject({ complete: true, fetched: 1 })
  expect(readFileSync(join(to, 'a'), 'utf8')).toBe('one')
})

it('when no source answers, it is told', async () => {
  await expect(sync([DEAD, DEAD], join(temporaryFolder(), 'to'))).rejects.toMatchObject({ code: 'UNREACHABLE' })
})
