import { expect, test } from 'vitest'
import type { NodeAnswer } from '../../core/api.ts'
import type { ItemReport, NodeTarget } from '../../core/target.ts'
import { geoserverFinding } from './hub.ts'

function node(name: string, version: string, troubled: Readonly<Record<string, ItemReport>> = {}): NodeAnswer {
  const target: NodeTarget = {
    kind: 'geoserver',
    state: 'in-step',
    staged: 1,
    applied: 1,
    served: 1,
    warnings: [],
    version,
    progress: { done: 1, total: 1 },
    troubled,
    atMs: 0,
  }
  return { node: name, liveness: 'alive', targets: { catalog: target } }
}

const at = { tree: 'catalog' }

test('GeoServers of one catalog are of one version', () => {
  expect(geoserverFinding(at, [])).toEqual({ verdict: 'ok', message: 'none in the tree catalog' })
  expect(geoserverFinding(at, [node('a', '2.26.2'), node('b', '2.26.2')])).toMatchObject({ verdict: 'ok' })
  expect(geoserverFinding(at, [node('a', '2.26.2'), node('b', '2.27.0')])).toMatchObject({
    verdict: 'warn',
    message: 'versions differ: a 2.26.2, b 2.27.0',
  })
})

test('a keystore that differs is a failure, with the object that shows it and what to do', () => {
  const problem = {
    severity: 'error',
    code: 'CATALOG_REFUSED',
    file: 'workspaces/w/s/datastore.xml',
    message: 'GeoServer cannot decrypt its password: the keystore of this node is another one',
    hint: 'Give this node the keystore of the others.',
    dataset: 'datastore/w:s',
  } as const
  const ill = node('b', '2.26.2', { 'datastore/w:s': { state: 'failed', problem } })
  expect(geoserverFinding(at, [node('a', '2.26.2'), ill])).toEqual({
    verdict: 'fail',
    message: `b: datastore/w:s: ${problem.message}`,
    fix: problem.hint,
  })
})
