import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { longest } from '../../test/helpers/soak.ts'

const FILES = process.env['FLOTILLA_SOAK'] === '1' ? 1_000_000 : 50_000
const SCRIPT = join(import.meta.dirname, '../../test/helpers/long-listing.ts')

it.for(['sorted', 'unsorted'])(
  'a listing of a million files, %s, takes less than 100 MB',
  { timeout: longest(600_000) },
  async (order) => {
    // As the tool itself is started.
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--max-semi-space-size=8',
      SCRIPT,
      String(FILES),
      order,
    ])
    const { fetched, grown } = JSON.parse(stdout) as { fetched: number; grown: number }
    expect(fetched).toBe(FILES)
    expect(grown).toBeLessThan(100_000_000)
  },
)
