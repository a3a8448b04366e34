import { expect, test } from 'vitest'
import type { NodeTarget } from '../core/target.ts'
import { statusOf } from '../core/status.ts'
import { printWarnings } from './node-view.ts'
import { Output } from './output.ts'

const TARGET: NodeTarget = {
  kind: 'geoserver',
  atMs: 0,
  state: 'in-step',
  staged: 1,
  applied: 1,
  served: 1,
  warnings: [],
  progress: { done: 1, total: 1 },
  troubled: {},
}

test('a warning is one line with each node once, whatever stands in the name of a file', () => {
  const warning = { severity: 'warning', code: 'FILE_NAME', file: 'a\nb\u001b]0;c\u0007', message: 'no' } as const
  const targets = { catalog: { ...TARGET, warnings: [warning, warning] } }
  const nodes = ['geo1', 'geo2'].map((node) => ({ node, liveness: 'alive', targets }) as const)
  let text = ''
  const out = { write: (part: string | Uint8Array) => void (text += String(part)), columns: undefined }
  printWarnings(statusOf('catalog', undefined, nodes), new Output(out, out, {}))
  expect(text).toBe(`${String.raw`warning geo1, geo2: a\u000ab\u001b]0;c\u0007: no`}\n`)
})
