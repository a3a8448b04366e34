#!/usr/bin/env node
import module from 'node:module'
import { dirname } from 'node:path'

// Nothing else is imported before this check: an old Node.js must get far enough to say what it lacks.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(
    `error: Flotilla needs Node.js 24.15 or newer; this is ${process.versions.node} (${process.execPath})\n` +
      '  → Install it from https://nodejs.org, or run ./flotilla in a clone, which brings its own.\n',
  )
  process.exit(1)
}

// Threads take it from the environment only: each would load the compiler of TypeScript otherwise, which is 25 MB.
const { directory } = module.enableCompileCache()
if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= dirname(directory)
const { start } = await import('./cli/start.ts')
await start()
