import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomic } from '../../../lib/atomic-file.ts'
import { makeFolder } from '../../../lib/make-folder.ts'
import type { Logger } from '../../../core/log.ts'
import type { Kept } from '../local.ts'

/** What this node still has to know after a crash. Digests are those of `CatalogEntry`; '' stands for an object that is not there. */
export interface NodeState {
  /** Whether node and releases have met: until then nothing is changed. */
  readonly met: boolean
  /** The release that was last written as a whole, and the one that was last proved; 0 for none. */
  readonly applied: number
  readonly served: number
  /** By key, what node and releases last agreed on. */
  readonly base: ReadonlyMap<string, string>
  /** Keys that only the node had when they met: they are told, and left alone. */
  readonly found: ReadonlySet<string>
  /** Keys of what both agreed on and is gone here, of which a person said that it was deleted on purpose. */
  readonly removed: ReadonlySet<string>
  /** By key, what was begun and is not proved yet. */
  readonly tried: ReadonlyMap<string, Tried>
  /** By key, which encrypted values of a release were last brought to this node: a digest leaves them out. */
  readonly ciphers: ReadonlyMap<string, string>
  /** By key, digests that this node offered for releases, oldest first, '' for a deletion; until one of them is found to be desired. */
  readonly offered: ReadonlyMap<string, readonly string[]>
  readonly owed: Owed
  /** Names of layers, as GeoWebCache calls them, whose tiles GeoServer did not give up. */
  readonly stale: ReadonlyMap<string, Stale>
  /** What a person decided, by key. */
  readonly verdicts: ReadonlyMap<string, Decided>
  readonly kept: readonly Kept[]
  /** The requests that are done last, by the name of `Done`. */
  readonly requests: ReadonlyMap<string, { readonly generation: number; readonly atMs: number }>
}

export interface Tried {
  /** What it is to become, and what it was just before. */
  readonly desired: string
  readonly before: string
  /** What it was when it was looked at afterwards, where that is neither. */
  readonly left?: string | undefined
  readonly way: 'live' | 'reload'
  readonly tries: number
  readonly atMs: number
  /** It was carried out, with everything that was begun together with it. */
  readonly done?: boolean | undefined
  /** Why GeoServer did not take it. */
  readonly problem?: { readonly message: string; readonly hint: string } | undefined
}

/** What GeoServer must be told because of files that were, or may have been, placed. */
export interface Owed {
  readonly reload: boolean
  readonly reset: boolean
  readonly tileConfig: boolean
  /** Names of layers, as GeoWebCache calls them, whose tiles may be out of date. */
  readonly truncate: readonly string[]
}

export interface Stale {
  readonly tries: number
  readonly atMs: number
  /** What GeoServer said. */
  readonly message: string
}

/** For these versions of both sides only. */
export interface Decided {
  readonly verdict: 'adopt' | 'revert'
  readonly local: string
  readonly desired: string
}

export const NOTHING_OWED: Owed = { reload: false, reset: false, tileConfig: false, truncate: [] }

export const EMPTY_STATE: NodeState = {
  met: false,
  applied: 0,
  served: 0,
  base: new Map(),
  found: new Set(),
  removed: new Set(),
  tried: new Map(),
  ciphers: new Map(),
  offered: new Map(),
  owed: NOTHING_OWED,
  stale: new Map(),
  verdicts: new Map(),
  kept: [],
  requests: new Map(),
}

const mapOf = <V extends z.ZodType>(value: V) =>
  z.array(z.tuple([z.string(), value])).transform((pairs) => new Map(pairs as [string, z.output<V>][]))

const triedSchema = z.object({
  desired: z.string(),
  before: z.string(),
  left: z.string().optional(),
  way: z.enum(['live', 'reload']),
  tries: z.number(),
  atMs: z.number(),
  done: z.boolean().optional(),
  problem: z.object({ message: z.string(), hint: z.string() }).optional(),
})

const keptSchema = z.object({
  key: z.string(),
  path: z.string(),
  sha256: z.string(),
  atMs: z.number(),
  release: z.number(),
})

const schema = z.object({
  format: z.literal(1),
  met: z.boolean(),
  applied: z.number(),
  served: z.number(),
  found: z.array(z.string()).transform((keys) => new Set(keys)),
  removed: z.array(z.string()).transform((keys) => new Set(keys)),
  tried: mapOf(triedSchema),
  ciphers: mapOf(z.string()),
  offered: mapOf(z.array(z.string())),
  owed: z.object({
    reload: z.boolean(),
    reset: z.boolean(),
    tileConfig: z.boolean(),
    truncate: z.array(z.string()),
  }),
  stale: mapOf(z.object({ tries: z.number(), atMs: z.number(), message: z.string() })),
  verdicts: mapOf(z.object({ verdict: z.enum(['adopt', 'revert']), local: z.string(), desired: z.string() })),
  kept: z.array(keptSchema),
  requests: mapOf(z.object({ generation: z.number(), atMs: z.number() })),
})

const baseSchema = mapOf(z.string())

const FILE = 'geoserver.json'
/** Apart, for it has a line for every object, and changes less often than the rest. */
const BASE_FILE = 'base.json'

/**
 * Reads the state. Without one, or with one that cannot be read, the node is as one that is new: what differs is kept before it is
 * overwritten, and what only the node has stays. So do the versions that were kept before.
 */
export async function loadState(folder: string, log: Logger): Promise<NodeState> {
  const texts = await Promise.all([FILE, BASE_FILE].map((name) => textOf(join(folder, name))))
  if (texts[0] === undefined) return EMPTY_STATE
  const state = json.pipe(schema).safeParse(texts[0])
  const base = json.pipe(baseSchema).safeParse(texts[1] ?? '')
  if (!state.success || !base.success) {
    const kept = state.data?.kept ?? []
    const why = 'the state of the GeoServer target cannot be read; the node meets the releases anew'
    log.warn(why, { folder, kept: join(folder, 'kept') })
    return { ...EMPTY_STATE, kept }
  }
  const { format: _, ...rest } = state.data
  return { ...rest, base: base.data }
}

/** Durable when it resolves. First what both agree on: a base that is too new is only an object that is looked at again. */
export async function saveState(folder: string, state: NodeState, before: NodeState | undefined): Promise<void> {
  const { base, found, removed, tried, ciphers, offered, stale, verdicts, requests, ...rest } = state
  await makeFolder(folder, 0o700)
  if (base !== before?.base) {
    await writeAtomic(join(folder, BASE_FILE), `${JSON.stringify([...base])}\n`, { mode: 0o600 })
  }
  const maps = {
    found: [...found],
    removed: [...removed],
    tried: [...tried],
    ciphers: [...ciphers],
    offered: [...offered],
    stale: [...stale],
    verdicts: [...verdicts],
    requests: [...requests],
  }
  await writeAtomic(join(folder, FILE), `${JSON.stringify({ format: 1, ...rest, ...maps })}\n`, { mode: 0o600 })
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const json = z.string().transform((text, context): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'not JSON' })
    return z.NEVER
  }
})
