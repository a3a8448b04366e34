#!/usr/bin/env node
import module from 'node:module'
import { dirname, join } from 'node:path'

// Nothing else is imported before this check: an old Node.js must get far enough to say what it lacks.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(
    `error: Flotilla needs Node.js 24.15 or newer; this is ${process.versions.node} (${process.execPath})\n` +
      '  → Install it from https://nodejs.org, or run ./flotilla in a clone, which brings its own.\n',
  )
  process.exit(1)
}

// What is compiled is run: it is never taken from the folder for temporary files, which is Node's own choice and where anybody may put
// something first. Threads take it from the environment only: each would load the compiler of TypeScript otherwise, which is 25 MB.
const { HOME: home = '', NODE_COMPILE_CACHE: given = '' } = process.env
const own = home === '' ? '' : join(home, '.cache', 'flotilla')
const folder = given === '' ? own : given
const directory = folder === '' ? undefined : module.enableCompileCache(folder).directory
if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= dirname(directory)
const { start } = await import('./cli/start.ts')
await start()
