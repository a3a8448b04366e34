import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { demoData } from './data.ts'

const FOLDER = join(import.meta.dirname, '../../examples/collection/data')

test('the data folder of the example collection holds what the generator writes, byte for byte', () => {
  const files = demoData()
  const there = readdirSync(FOLDER, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  expect(there).toHaveLength(files.size)
  for (const [path, bytes] of files) expect(readFileSync(join(FOLDER, path)).equals(bytes), path).toBe(true)
})
