import module from 'node:module'

const SOON_MS = 5000

/**
 * Keeps what was compiled for the next start. A service or thread that never ends in order would compile everything anew each time,
 * which takes 30 MB that stay.
 */
export function keepCompiled(): void {
  setTimeout(module.flushCompileCache, SOON_MS).unref()
}
