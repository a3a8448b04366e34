export type FlagKind = 'hardFlag' | 'flag' | 'badFilesFlag'
export type LoadKind = 'major' | FlagKind

/** What the stand-in saw and did, for tests: everything is appended, nothing is taken away. */
export interface Stats {
  readonly loads: LoadRecord[]
  /** Flag files that were there, in the order they were taken. */
  readonly flags: FlagRecord[]
  /** Every change of what is served, in order. */
  readonly events: ServedEvent[]
  /** Reads of datasets.xml that broke off before `</erddapDatasets>`: torn, malformed, unknown tag. */
  readonly badReads: BadRead[]
  /** Polls that found more than one kind of flag, which starts loads that do not wait for each other. */
  pollsWithSeveralKinds: number
  /** Loads that began while another one ran. */
  overlappingLoads: number
}

export interface LoadRecord {
  readonly kind: LoadKind
  readonly startedAtMs: number
  finishedAtMs?: number
  /** The flagged ids; absent for a major load. */
  readonly flagged?: readonly string[]
  /** Ids whose definition was loaded or failed to load, in the order of datasets.xml. */
  readonly tried: string[]
  readonly failed: Failure[]
}

export interface Failure {
  readonly id: string
  /** Line of datasets.xml where the reader stood: the end of the dataset, or the tag that stopped it. */
  readonly line: number
  readonly message: string
}

interface FlagRecord {
  readonly kind: FlagKind
  readonly id: string
  readonly atMs: number
  /** `poll`, or `load` when a running load came past the dataset before the next poll. */
  readonly by: 'poll' | 'load'
}

interface ServedEvent {
  readonly id: string
  /** `loaded`: served from now on, with this title and digest. `failed`: was served, and is no more. */
  readonly event: 'loaded' | 'failed' | 'unloaded'
  readonly by: LoadKind
  readonly atMs: number
  readonly title?: string | undefined
  readonly digest?: string
}

interface BadRead {
  readonly atMs: number
  readonly kind: LoadKind
  readonly line: number
  readonly message: string
}

export function newStats(): Stats {
  return { loads: [], flags: [], events: [], badReads: [], pollsWithSeveralKinds: 0, overlappingLoads: 0 }
}
