import { DEFAULTS, type GeoServerOptions, type Misbehaviour } from './options.ts'
import { serve } from './server.ts'
import { World } from './world.ts'

/** A stand-in that runs. */
export interface GeoServer {
  /** Such as `http://127.0.0.1:8080/geoserver`; REST lies at `/rest` below it. */
  readonly url: string
  /** What it would have put into its log. Grows while it runs. */
  readonly logged: readonly string[]
  readonly updateSequence: number
  /** Whether a reload runs at this moment. */
  readonly reloading: boolean
  misbehave(how: Misbehaviour): void
  /** Stops listening, and lets what has begun come to its end. */
  close(): Promise<void>
  /** Stops at once: connections are cut, a running reload with them. */
  kill(): Promise<void>
}

/** Starts a GeoServer stand-in in this process: its catalog is read when this resolves. */
export async function startGeoServer(
  options: Pick<GeoServerOptions, 'dataDirectory'> & Partial<GeoServerOptions>,
): Promise<GeoServer> {
  const world = new World({ ...DEFAULTS, ...options })
  const { server, url } = await serve(world)
  const stop = async (cut: boolean): Promise<void> => {
    if (cut) world.stop()
    const closed = new Promise((resolve) => server.close(resolve))
    if (cut) server.closeAllConnections()
    else server.closeIdleConnections()
    await closed
    world.stop()
  }
  return {
    url,
    logged: world.logged,
    get updateSequence() {
      return world.catalog.updateSequence
    },
    get reloading() {
      return world.reloading !== undefined
    },
    misbehave: (how) => {
      world.misbehave = how
    },
    // What hangs never comes to its end.
    close: () => stop(world.misbehave === 'hang'),
    kill: () => stop(true),
  }
}
