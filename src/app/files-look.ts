import type { Clock } from '../core/clock.ts'
import type { FileSource } from '../core/files/source.ts'
import type { Secret } from '../lib/secret.ts'
import { FlotillaLook } from '../objects/flotilla/flotilla-look.ts'
import { openFlotillaSource } from '../objects/flotilla/flotilla-source.ts'

/** Where a file service is, and what is shown to it. */
export interface FilesServer {
  readonly server: string
  readonly key: Secret | undefined
}

export function lookAt({ server, key }: FilesServer, clock: Clock): FlotillaLook {
  return new FlotillaLook({ server, ...shown(key), nowMs: () => clock.nowMs() })
}

export function sourceAt({ server, key }: FilesServer, tree: string, clock: Clock): FileSource {
  return openFlotillaSource({ server, tree, ...shown(key), nowMs: () => clock.nowMs() })
}

export function shown(key: Secret | undefined) {
  return key === undefined ? {} : { credentials: { token: key } }
}
