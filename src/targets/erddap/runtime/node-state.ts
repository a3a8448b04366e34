import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type ListName, LISTS } from '../../../core/lists.ts'
import { writeCached } from '../../../lib/cached-file.ts'
import type { Logger } from '../../../core/log.ts'

export type FlagKind = 'hard' | 'soft' | 'bad-files'

/** What this node still has to know after a crash. Ids and paths are keys of maps: "constructor" is a legal id. */
export interface NodeState {
  /** The release whose file was written last, and the release that was last proved as a whole; 0 for none. */
  readonly applied: number
  readonly served: number
  /** SHA-256 of the datasets.xml that this node wrote last. */
  readonly written: string | undefined
  /** SHA-256 of the file that ERDDAP read last, once `maybe` takes account of it. */
  readonly read: string | undefined
  /** The settings outside of datasets that ERDDAP has read. */
  readonly topDigest: string | undefined
  /** The definition of each dataset that ERDDAP was last proved to have loaded. It outlives the dataset's being switched off. */
  readonly loaded: ReadonlyMap<string, Version>
  /** Definitions of each that ERDDAP has read since, and so may have loaded. */
  readonly maybe: ReadonlyMap<string, readonly Version[]>
  readonly flagged: ReadonlyMap<string, Flagged>
  /** The requests that are done last, by the name of `Done`. */
  readonly requests: ReadonlyMap<string, { readonly generation: number; readonly atMs: number }>
  /** SHA-256 by path of the files this node put into the files folder, noted before they are written. */
  readonly sideFiles: ReadonlyMap<string, string>
  /** Settings of the cluster's lists that were written into datasets.xml ever. */
  readonly lists: readonly ListName[]
  /** How many ms the last loads took, the latest last. */
  readonly loads: ReadonlyMap<string, LoadTimes>
}

export interface LoadTimes {
  readonly soft?: number | undefined
  readonly hard?: number | undefined
}

/** One definition of a dataset. */
export interface Version {
  readonly digest: string
  /** SHA-256 of the kept datasets.xml that it stands in; empty where that was too long ago to keep. */
  readonly version: string
}

/** A flag that was set, and what came of it. The version is what ERDDAP was asked to load, empty for "unload it". */
export interface Flagged extends Version {
  readonly kind: FlagKind
  /** Just before the flag was set. */
  readonly atMs: number
  readonly attempts: number
  /** Whether the dataset was not served when the flag was set: then being served is the proof. */
  readonly wasAbsent: boolean
  readonly failure: Failure | undefined
}

export interface Failure {
  readonly code: 'LOAD_FAILED' | 'LOAD_ABORTED' | 'LOAD_STALE'
  readonly message: string
  readonly file: string
  readonly line: number | undefined
  /** The attempt that failed; a later one may be under way. */
  readonly attempt: number
  readonly atMs: number
}

export const EMPTY_STATE: NodeState = {
  applied: 0,
  served: 0,
  written: undefined,
  read: undefined,
  topDigest: undefined,
  loaded: new Map(),
  maybe: new Map(),
  flagged: new Map(),
  requests: new Map(),
  sideFiles: new Map(),
  lists: [],
  loads: new Map(),
}

const mapOf = <V extends z.ZodType>(value: V) =>
  z.array(z.tuple([z.string(), value])).transform((pairs) => new Map(pairs as [string, z.output<V>][]))

const version = z.object({ digest: z.string(), version: z.string() })

const failureSchema = z.object({
  code: z.enum(['LOAD_FAILED', 'LOAD_ABORTED', 'LOAD_STALE']),
  message: z.string(),
  file: z.string(),
  line: z.number().optional(),
  attempt: z.number(),
  atMs: z.number(),
})

const schema = z.object({
  format: z.literal(1),
  applied: z.number(),
  served: z.number(),
  written: z.string().optional(),
  read: z.string().optional(),
  topDigest: z.string().optional(),
  loaded: mapOf(version),
  maybe: mapOf(z.array(version)),
  flagged: mapOf(
    z.object({
      digest: z.string(),
      version: z.string(),
      kind: z.enum(['hard', 'soft', 'bad-files']),
      atMs: z.number(),
      attempts: z.number(),
      wasAbsent: z.boolean(),
      failure: failureSchema.optional(),
    }),
  ),
  // A number alone is how it was written before it was noted when a request was made.
  requests: mapOf(
    z.union([
      z.object({ generation: z.number(), atMs: z.number() }),
      z.number().transform((generation) => ({ generation, atMs: Number.MAX_SAFE_INTEGER })),
    ]),
  ),
  sideFiles: mapOf(z.string()),
  lists: z.array(z.enum(LISTS)).optional(),
  loads: mapOf(z.object({ soft: z.number().optional(), hard: z.number().optional() })).optional(),
})

const FILE = 'erddap.json'

/**
 * Reads the state. Without one, or with one that cannot be read, the node is as one that is new: it looks at what ERDDAP
 * read last and goes on from there, so nothing is lost but some proofs.
 */
export async function loadState(folder: string, log: Logger): Promise<NodeState> {
  let text: string
  try {
    text = await readFile(join(folder, FILE), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY_STATE
    throw error
  }
  const parsed = z.string().transform(json).pipe(schema).safeParse(text)
  if (!parsed.success) {
    log.warn('the state of the ERDDAP target cannot be read; starting from what ERDDAP read last', { folder })
    return EMPTY_STATE
  }
  const { format: _, ...state } = parsed.data
  return { ...EMPTY_STATE, ...state } as NodeState
}

/**
 * Survives kill -9. A power loss may bring back an older one or take it, and takes ERDDAP down as well, which then reads
 * datasets.xml anew: nothing that is noted here is needed after that.
 */
export function saveState(folder: string, state: NodeState): void {
  const { loaded, maybe, flagged, requests, sideFiles, loads, ...rest } = state
  const maps = {
    loaded: [...loaded],
    maybe: [...maybe],
    flagged: [...flagged],
    requests: [...requests],
    sideFiles: [...sideFiles],
    loads: [...loads],
  }
  writeCached(join(folder, FILE), `${JSON.stringify({ format: 1, ...rest, ...maps })}\n`, { mode: 0o600 })
}

function json(text: string, context: z.RefinementCtx): unknown {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' })
    return z.NEVER
  }
}
