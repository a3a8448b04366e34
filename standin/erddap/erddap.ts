import { LoadLoop } from './flags.ts'
import { DEFAULTS, type ErddapOptions, type Misbehaviour } from './options.ts'
import { serve } from './server.ts'
import type { Stats } from './stats.ts'
import { World } from './world.ts'

/** A stand-in that runs. */
export interface Erddap {
  /** Such as `http://127.0.0.1:8080/erddap`. */
  readonly url: string
  /** Path of its log.txt. */
  readonly log: string
  /** Grows while it runs. */
  readonly stats: Stats
  /** Ids of what it serves, private datasets included. */
  served(): readonly string[]
  /** A top-level setting of datasets.xml, as the last load found it. */
  setting(name: string): string | undefined
  /** Runs a major load at the next poll; resolves when it has ended. */
  majorLoad(): Promise<void>
  misbehave(how: Misbehaviour): void
  /** Stops at once, like a process that is killed: a running load is cut off. */
  close(): Promise<void>
}

/** Starts an ERDDAP stand-in in this process: its first major load has begun when this resolves. */
export async function startErddap(
  options: Pick<ErddapOptions, 'contentDir' | 'bigParentDir'> & Partial<ErddapOptions>,
): Promise<Erddap> {
  const world = new World({ ...DEFAULTS, ...options })
  const stopped = new AbortController()
  const { server, url } = await serve(world, stopped.signal)
  const loop = new LoadLoop(world, stopped.signal)
  const running = loop.run()
  return {
    url,
    log: world.logFile,
    stats: world.stats,
    served: () => [...world.served.keys()],
    setting: (name) => world.settings.get(name),
    majorLoad: () => loop.major(),
    misbehave: (how) => {
      world.misbehave = how
    },
    close: async () => {
      stopped.abort()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await running
    },
  }
}
