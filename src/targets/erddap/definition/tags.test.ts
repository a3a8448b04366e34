import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { FIXTURES, needs } from '../../../../test/helpers/needs.ts'
import { DATASET_TYPES } from './tags.ts'

const test = await needs({ fixtures: true })

/** Everywhere but in EDDTableFromSOS, ERDDAP refuses it with a message of its own. */
const REFUSED = 'altitudeMetersPerSourceUnit'

describe("ERDDAP's own lists of tags", () => {
  test('every tag of every class is known to the types of that class', () => {
    const lists = JSON.parse(readFileSync(join(FIXTURES, 'erddap/dataset-child-tags.json'), 'utf8')) as Record<
      string,
      readonly string[]
    >
    const missing: string[] = []
    for (const [name, tags] of Object.entries(lists)) {
      const known = DATASET_TYPES.get(typeOf(name))?.inside
      for (const tag of tags)
        if (known?.has(tag) !== true && (tag !== REFUSED || name === 'EDDTableFromSOS')) missing.push(`${name}: ${tag}`)
    }
    // The first is no class of datasets; the second stands only in a comment of ERDDAP's source.
    expect(missing).toEqual(['EDD: erddapDatasets', 'EDDTableFromEDDGrid: updateEveryNMillis'])
  })
})

/** One of the types that a class is for. */
function typeOf(name: string): string {
  if (name === 'EDDGridFromFiles') return 'EDDGridFromNcFiles'
  if (name === 'EDDTableFromFiles') return 'EDDTableFromNcFiles'
  return name === 'EDDTableFromAsciiService' ? 'EDDTableFromAsciiServiceNOS' : name
}
