import type { PullEvents, Puller } from '../agent/files-pull.ts'
import type { FilesTarget } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import { FlotillaError } from '../core/errors.ts'
import type { FlipGate } from '../core/files/flip.ts'
import type { FileSource } from '../core/files/source.ts'
import { parseBandwidth } from '../core/sync/bandwidth.ts'
import { glob } from '../core/sync/glob.ts'
import { parseDeleteMax } from '../core/sync/guard.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { openFlotillaSource } from '../objects/flotilla/flotilla-source.ts'
import type { AgentFilesDeps } from './agent-files.ts'
import { type ClusterMembers, peerKeyOf } from './cluster-members.ts'
import { CLUSTER, ClusterSource } from './cluster-source.ts'
import { openSync, type Wanted } from './sync.ts'
import { readS3Pair } from './sync-sources.ts'

interface PullerOptions {
  readonly tree: string
  readonly target: FilesTarget
  readonly gate: FlipGate | undefined
  readonly members: ClusterMembers
  readonly events: PullEvents
}

type PullerDeps = AgentFilesDeps & { readonly signal: AbortSignal }

const DAYS = 7
const OLD_GENERATION_MS = 3_600_000

/** Opens what a target of the agent pulls from. Rejects as opening its sources does. */
export async function openPuller(options: PullerOptions, deps: PullerDeps): Promise<Puller> {
  const { target, gate, events } = options
  const { clock, log, base, signal } = deps
  const { apiKeyFile, s3CredentialsFile, deleteMax, bandwidth, groups, keepGenerations } = target
  const spec = {
    from: target.from.filter((one) => one !== CLUSTER).map((one) => place(base, one)),
    others: target.from.includes(CLUSTER) ? [clusterSource(options, deps)] : [],
    to: absolute(base, target.folder),
    what: wantedOf(target),
    apikey: apiKeyFile === undefined ? undefined : await readSecretFile(absolute(base, apiKeyFile)),
    s3: s3CredentialsFile === undefined ? undefined : await readS3Pair(absolute(base, s3CredentialsFile)),
  }
  const manner = {
    deletes: target.delete,
    deleteMax: deleteMax === undefined ? undefined : parseDeleteMax(deleteMax),
    bandwidth: bandwidth === undefined ? undefined : parseBandwidth(bandwidth),
    concurrent: target.concurrency,
    groups: groups.map(glob),
    gate,
    keepGenerations: { keep: keepGenerations, minAgeMs: OLD_GENERATION_MS },
    onProgress: events.onProgress,
  }
  const sync = await openSync(spec, manner, { clock, log, env: process.env, signal })
  const { onRound, onError } = events
  return {
    from: sync.name,
    run: async (until) => await sync.run(until, { repeatMs: target.interval, watch: true, onRound, onError }),
    wake: () => sync.wake(),
    totals: () => sync.totals(),
    close: async () => await sync.close(),
  }
}

function place(base: string, from: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(from) ? from : absolute(base, from)
}

/** Throws `CONFIG_INVALID` for filters that contradict each other. */
export function wantedOf(target: FilesTarget): Wanted {
  const { domains, variables, pastDays, newestChunks, prefixes, include, exclude } = target
  if (domains.length > 0) return { models: { domains, variables }, days: pastDays ?? DAYS, years: undefined }
  if (variables.length > 0) {
    throw new FlotillaError('CONFIG_INVALID', 'a target with `variables` needs `domains`, the models they are of')
  }
  return { prefixes, include: include.map(glob), exclude: exclude.map(glob), days: pastDays, newestChunks }
}

function clusterSource({ tree, members }: PullerOptions, deps: PullerDeps): FileSource {
  const { clock, store, signal } = deps
  return new ClusterSource({
    tree,
    members: () => members.of(tree),
    open: async ({ url }) => {
      // Asked for anew with each node: it may have been exchanged.
      const token = await peerKeyOf(store, { signal })
      const credentials = token === undefined ? undefined : { token }
      return openFlotillaSource({ server: url, tree, credentials, nowMs: () => clock.nowMs() })
    },
    nowMs: () => clock.nowMs(),
  })
}
