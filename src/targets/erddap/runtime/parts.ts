import type { Clock } from '../../../core/clock.ts'
import type { Logger } from '../../../core/log.ts'
import type { Done } from './model.ts'
import type { NodeState } from './node-state.ts'
import type { SideFiles } from './side-files.ts'
import type { Versions } from './versions.ts'

/** What a step is carried out with. */
export interface ApplyParts {
  readonly datasetsXml: string
  readonly bigParentDirectory: string
  readonly clock: Clock
  readonly log: Logger
  readonly versions: Versions
  readonly sideFiles: SideFiles
  /** The state as it is on disk. */
  readonly state: () => NodeState
  /** Durable when it resolves. */
  readonly save: (state: NodeState) => Promise<void>
}

/** Newest generation by request, with these among them. */
export function withDone(state: NodeState, done: readonly Done[]): ReadonlyMap<string, number> {
  const requests = new Map(state.requests)
  for (const { request, generation } of done) {
    requests.set(request, Math.max(generation, requests.get(request) ?? 0))
  }
  return requests
}
