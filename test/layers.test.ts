import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { violations } from './helpers/layers.ts'

const ROOT = join(import.meta.dirname, '..')

function sources(folder: string): [string, string][] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [`${folder}/${path}`, readFileSync(join(ROOT, folder, path), 'utf8')])
}

test('imports only point down the layers', () => {
  const files = new Map([...sources('src'), ...sources('standin')])
  expect(files.size).toBeGreaterThan(20)
  expect(violations(files)).toEqual([])
})

test.for([
  ['core reads the disk', 'src/core/a.ts', `import { readFile } from 'node:fs'`],
  ['core uses a package', 'src/core/a.ts', `import { z } from 'zod'`],
  ['core uses lib', 'src/core/a.ts', `import { sha256 } from '../lib/hash.ts'`],
  ['core uses lib for a type', 'src/core/a.ts', `import type { X } from '../lib/hash.ts'`],
  ['lib uses an adapter', 'src/lib/a.ts', `import { MemoryStore } from '../store/memory/store.ts'`],
  ['an adapter uses its neighbour', 'src/store/sqlite/a.ts', `import { x } from '../memory/b.ts'`],
  ['an adapter uses another family', 'src/targets/erddap/a.ts', `import { x } from '../../store/sqlite/b.ts'`],
  ['an adapter loads its neighbour lazily', 'src/store/sqlite/a.ts', `await import('../memory/b.ts')`],
  ['a re-export goes up', 'src/releases/a.ts', `export { x } from '../hub/b.ts'`],
  ['releases uses the hub', 'src/releases/a.ts', `import { x } from '../hub/b.ts'`],
  ['rollouts use the releases', 'src/rollout/a.ts', `import { x } from '../releases/b.ts'`],
  ['the client uses the hub', 'src/client/a.ts', `import { x } from '../hub/b.ts'`],
  ['the agent uses the hub', 'src/agent/a.ts', `import { x } from '../hub/b.ts'`],
  ['the agent names a target', 'src/agent/a.ts', `import { x } from '../targets/erddap/b.ts'`],
  ['the hub uses the agent', 'src/hub/routes/a.ts', `import { x } from '../../agent/b.ts'`],
  ['the configuration names an adapter', 'src/config/a.ts', `import { x } from '../targets/erddap/config.ts'`],
  ['a command opens a store', 'src/cli/commands/a.ts', `import { x } from '../../store/sqlite/store.ts'`],
  ['a command builds a hub', 'src/cli/commands/a.ts', `import { x } from '../../hub/hub.ts'`],
  ['app uses the commands', 'src/app/a.ts', `import { x } from '../cli/b.ts'`],
  ['a side-effect import goes up', 'src/lib/a.ts', `import '../app/hub.ts'`],
  ['a part without a rule', 'src/novelty/a.ts', `import { x } from '../core/op.ts'`],
  ['a file outside of any part', 'src/loose.ts', `import { x } from './core/op.ts'`],
  ['fastify outside of the hub', 'src/agent/a.ts', `import fastify from 'fastify'`],
  ['SQL outside of the stores', 'src/hub/a.ts', `import { DatabaseSync } from 'node:sqlite'`],
  ['the stand-in uses the code it judges', 'standin/erddap/a.ts', `import { x } from '../../src/targets/erddap/b.ts'`],
] as const)('catches the violation: %s', ([, path, source]) => {
  expect(violations(new Map([[path, source]]))).toHaveLength(1)
})

test.for([
  ['src/hub/routes/a.ts', `import { x } from '../auth.ts'`],
  ['src/targets/erddap/gate/a.ts', `import { x } from '../tags.ts'\nimport { y } from '../../../core/problem.ts'`],
  ['src/cli/commands/up.ts', `const app = await import('../../app/hub.ts')`],
  ['src/app/hub.ts', `import { x } from '../store/sqlite/store.ts'\nimport { y } from '../hub/hub.ts'`],
  ['src/config/agent.ts', `import { targets } from '../targets/registry.ts'`],
  ['src/agent/loop.test.ts', `import { x } from '../targets/erddap/target.ts'`],
] as const)('lets through: %s', ([path, source]) => {
  expect(violations(new Map([[path, source]]))).toEqual([])
})
