import { posix } from 'node:path'

/** What each part of src/ may import, besides itself. `*` in a name is one adapter folder, an island. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: [],
  lib: ['core'],
  'store/*': ['core', 'lib'],
  'bus/*': ['core', 'lib'],
  'objects/*': ['core', 'lib'],
  'targets/*': ['core', 'lib'],
  'store/registry.ts': ['core', 'lib', 'store/*'],
  'bus/registry.ts': ['core', 'lib', 'bus/*'],
  'targets/registry.ts': ['core', 'lib', 'targets/*'],
  rollout: ['core', 'lib'],
  coordination: ['core', 'lib'],
  releases: ['core', 'lib', 'rollout'],
  profiles: ['core', 'lib'],
  templates: ['core', 'lib'],
  client: ['core', 'lib'],
  files: ['core', 'lib'],
  outbox: ['core', 'lib'],
  fileserver: ['core', 'lib', 'files', 'compat/*'],
  sync: ['core', 'lib', 'files'],
  agent: ['core', 'lib', 'releases', 'client'],
  catalog: ['core', 'lib', 'releases', 'client', 'agent', 'targets/*'],
  hub: ['core', 'lib', 'profiles', 'releases', 'rollout', 'coordination'],
  'compat/*': ['core', 'lib', 'profiles', 'releases', 'hub'],
  config: ['core', 'lib', 'store/registry.ts', 'bus/registry.ts', 'targets/registry.ts'],
  cli: ['core', 'lib', 'config', 'client', 'app'],
  app: [
    'core',
    'lib',
    'store/*',
    'store/registry.ts',
    'bus/*',
    'bus/registry.ts',
    'objects/*',
    'targets/*',
    'targets/registry.ts',
    'rollout',
    'coordination',
    'templates',
    'releases',
    'client',
    'agent',
    'catalog',
    'hub',
    'files',
    'fileserver',
    'outbox',
    'sync',
    'compat/*',
    'config',
  ],
  'bin.ts': ['cli'],
}

/** Packages that only one part may use, so that another can take their place. Any other package is free. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  commander: ['cli'],
  fastify: ['hub'],
  ajv: ['profiles'],
  'fastify-type-provider-zod': ['hub'],
  '@fastify/swagger': ['hub'],
  'prom-client': ['hub', 'compat/*'],
  pino: ['lib'],
  // lib: a lock where the system has no program for one.
  'node:sqlite': ['store/*', 'files', 'outbox', 'sync', 'lib'],
  'rabbitmq-client': ['bus/*', 'compat/*'],
  ws: ['compat/*'],
  '@grpc/grpc-js': ['store/*'],
  '@grpc/proto-loader': ['store/*'],
  saxes: ['targets/*', 'lib', 'compat/*'],
  // lib: one pool of connections for every source of files.
  undici: ['objects/*', 'lib'],
  'libxml2-wasm': ['targets/*'],
}

/** A text that says `from` imports nothing. */
const IMPORT = /(?<!['"`])(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g

interface Place {
  readonly part: string
  readonly unit: string
}

/**
 * Every import that does not point down the layers, as one sentence.
 * `files`: path relative to the repository's root → source. Looks at src/ and standin/, tests aside.
 */
export function violations(files: ReadonlyMap<string, string>): readonly string[] {
  const bad: string[] = []
  for (const [path, source] of files) {
    if (!path.endsWith('.ts') || path.endsWith('.test.ts')) continue
    for (const [, target = ''] of source.matchAll(IMPORT)) {
      const why = path.startsWith('standin/') ? standinRule(path, target) : sourceRule(path, target)
      if (why !== undefined) bad.push(`${path} may not import ${target}: ${why}`)
    }
  }
  return bad
}

/** The stand-in is judge of the ERDDAP target, so it may not share its code. */
function standinRule(path: string, target: string): string | undefined {
  if (!target.startsWith('.')) return undefined
  const to = posix.join(posix.dirname(path), target)
  if (to.startsWith('standin/') || to.startsWith('src/core/') || to.startsWith('src/lib/')) return undefined
  return 'the stand-in uses core and lib only'
}

function sourceRule(path: string, target: string): string | undefined {
  if (!path.startsWith('src/')) return undefined
  const from = locate(path)
  const allowed = ALLOWED[from.part]
  if (allowed === undefined) return `${from.part} has no rule in the table of layers`
  if (!target.startsWith('.')) return packageRule(from.part, target)
  const to = locate(posix.join(posix.dirname(path), target))
  if (to.unit === from.unit || allowed.includes(to.part)) return undefined
  return `${from.part} may import ${allowed.join(', ') || 'nothing'}`
}

function packageRule(part: string, target: string): string | undefined {
  if (part === 'core') return 'core is pure'
  const only = PACKAGES[target.startsWith('@') ? target : (target.split('/')[0] ?? target)]
  return only === undefined || only.includes(part) ? undefined : `only ${only.join(', ')} uses it`
}

/** `src/store/sqlite/lease.ts` is part `store/*`, unit `store/sqlite`; `src/hub/routes/kv.ts` is part and unit `hub`. */
function locate(path: string): Place {
  const [, top = '', second = '', ...rest] = path.split('/')
  if (`${top}/*` in ALLOWED) {
    const unit = `${top}/${second}`
    return rest.length > 0 ? { part: `${top}/*`, unit } : { part: unit, unit }
  }
  return { part: top, unit: top }
}
