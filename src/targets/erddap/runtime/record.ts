import type { Load, Outcome, Prepared } from './model.ts'
import type { LoadTimes, NodeState, Version } from './node-state.ts'
import { type ApplyParts, withDone, withLists } from './parts.ts'

/** Writes down what became certain, and lets go of what is no longer needed to tell. */
export async function record(prepared: Prepared, outcome: Outcome, parts: ApplyParts): Promise<void> {
  const state = parts.state()
  const { sha256: version, topDigest } = prepared.compiled
  const loaded = new Map(state.loaded)
  const maybe = new Map(state.maybe)
  const flagged = new Map(state.flagged)
  for (const id of outcome.served) {
    const digest = prepared.datasets.get(id)?.digest
    if (digest !== undefined) loaded.set(id, { digest, version })
    maybe.delete(id)
  }
  for (const id of [...outcome.served, ...outcome.gone]) flagged.delete(id)
  const loads = withLoads(state, outcome.loads)
  for (const id of outcome.forgotten) {
    loads.delete(id)
    loaded.delete(id)
    maybe.delete(id)
    flagged.delete(id)
  }
  for (const [id, failure] of outcome.failed) {
    const before = flagged.get(id)
    if (before !== undefined) flagged.set(id, { ...before, failure })
    parts.log.warn('a dataset failed', { id, code: failure.code, file: failure.file, line: failure.line })
  }
  const repoint = repointer(prepared)
  await parts.save({
    ...state,
    loaded: new Map([...loaded].map(([id, each]) => [id, repoint(id, each)])),
    maybe: new Map([...maybe].map(([id, all]) => [id, all.map((each) => repoint(id, each))])),
    flagged,
    applied: prepared.number,
    written: version,
    topDigest: outcome.top ? topDigest : state.topDigest,
    served: outcome.whole ? prepared.number : state.served,
    requests: withDone(state, outcome.done),
    lists: withLists(state, prepared.compiled),
    loads,
  })
  await prune(prepared, parts)
  if (outcome.whole) parts.log.info('ERDDAP serves the release', { release: prepared.number })
}

/** For how many datasets it is remembered how long they took to load. */
const LOADS_MAX = 2000

function withLoads({ loads }: NodeState, news: readonly Load[]): Map<string, LoadTimes> {
  const all = new Map(loads)
  for (const { id, effect, ms } of news) {
    const before = all.get(id)
    // The latest last: what was loaded longest ago is let go.
    all.delete(id)
    all.set(id, { ...before, [effect]: ms })
  }
  for (const oldest of all.keys()) {
    if (all.size <= LOADS_MAX) break
    all.delete(oldest)
  }
  return all
}

/** The same definition stands in the newest file too; pointing there lets older ones go. */
function repointer({ compiled, datasets }: Prepared): (id: string, version: Version) => Version {
  return (id, version) => {
    const wanted = datasets.get(id)
    const isSame = wanted?.active === true && wanted.digest === version.digest
    return isSame ? { digest: version.digest, version: compiled.sha256 } : version
  }
}

async function prune({ compiled }: Prepared, parts: ApplyParts): Promise<void> {
  const { loaded, maybe, flagged } = parts.state()
  const used = [...loaded.values(), ...[...maybe.values()].flat(), ...flagged.values()].map(({ version }) => version)
  await parts.versions.prune(new Set([compiled.sha256, ...used]))
}
