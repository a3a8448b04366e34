import type { Clock } from '../../../core/clock.ts'
import type { Logger } from '../../../core/log.ts'
import type { Compiled } from '../definition/compile.ts'
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

/** What is done by request, with these among them. */
export function withDone(state: NodeState, done: readonly Done[]): NodeState['requests'] {
  const requests = new Map(state.requests)
  for (const { request, ...what } of done) requests.set(request, what)
  return requests
}

/** The settings of lists that ERDDAP may have read here, with those of this file among them. */
export function withLists(state: NodeState, { lists }: Pick<Compiled, 'lists'>): NodeState['lists'] {
  return [...new Set([...state.lists, ...lists])]
}
