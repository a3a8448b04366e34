import type { Clock } from '../core/clock.ts'
import { FlotillaUpkeep } from '../objects/flotilla/flotilla-upkeep.ts'
import { type FilesServer, lookAt, shown } from './files-look.ts'

/** Asks a file service about the children of its trees. */
export function upkeepAt({ server, key }: FilesServer, clock: Clock): FlotillaUpkeep {
  return new FlotillaUpkeep({ server, ...shown(key), nowMs: () => clock.nowMs() })
}

/** The trees that may be read there. */
export async function treesAt(at: FilesServer, clock: Clock, signal: AbortSignal): Promise<readonly string[]> {
  const look = lookAt(at, clock)
  try {
    return await look.trees({ signal })
  } finally {
    await look.close()
  }
}
