import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Json } from './json.ts'
import { applyPatch } from './patch.ts'

interface Case {
  readonly comment?: string
  readonly doc?: Json
  readonly patch?: unknown
  readonly expected?: Json
  readonly error?: string
  readonly disabled?: boolean
}

const folder = dirname(createRequire(import.meta.url).resolve('json-patch-test-suite/package.json'))
const read = (file: string): readonly Case[] => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Case[]

describe.for(['tests.json', 'spec_tests.json'])('the public suite for RFC 6902, %s', (file) => {
  const cases = read(file).filter(({ patch, disabled }) => patch !== undefined && disabled !== true)

  it('is there', () => {
    expect(cases.length).toBeGreaterThan(15)
  })

  it.for(cases.map((one, index) => [`${index} ${one.comment ?? one.error ?? ''}`, one] as const))(
    '%s',
    ([, { doc = null, patch, expected, error }]) => {
      const before = JSON.stringify(doc)
      const outcome = applyPatch(doc, patch)
      expect(JSON.stringify(doc)).toBe(before)
      if (error !== undefined) expect(outcome.ok).toBe(false)
      else expect(outcome).toEqual({ ok: true, document: expected ?? (outcome.ok ? outcome.document : 'applied') })
    },
  )
})
