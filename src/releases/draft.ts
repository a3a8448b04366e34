import type { StrategyRequest } from '../core/api-rollout.ts'
import { FlotillaError } from '../core/errors.ts'
import type { Op } from '../core/op.ts'
import { type Problem, placeOf } from '../core/problem.ts'
import type { Quarantined } from '../core/release.ts'
import type { CheckContext, TreeFile, TreeItem, TreeKind } from '../core/tree.ts'
import type { BlobStore } from './blobs.ts'
import type { Head } from './history.ts'
import { manifestTree } from './manifest.ts'

/** What is asked for: contents that are not yet checked. */
export interface Draft {
  readonly kind: string
  readonly files: readonly TreeFile[]
  readonly active: Readonly<Record<string, boolean>>
  readonly message: string
  /** Keep the last version of files that fail. */
  readonly quarantine?: boolean | undefined
  readonly confirmRemoval?: boolean | undefined
  readonly dryRun?: boolean | undefined
  readonly strategy?: StrategyRequest | undefined
  /**
   * Contents that were released before, asked for by name: what a check finds now is told but does not stop it, and
   * neither does the guard. Going back must work in the worst moment.
   */
  readonly trusted?: boolean | undefined
  readonly rollbackTo?: number | undefined
  readonly source?: string | undefined
}

export interface Checked {
  readonly files: readonly TreeFile[]
  readonly items: readonly TreeItem[]
  readonly warnings: readonly Problem[]
  readonly quarantined: readonly Quarantined[]
}

export interface CheckDeps {
  readonly kind: TreeKind
  readonly blobs: BlobStore
  readonly head: Head
  /** The items of `head`. */
  readonly before: readonly TreeItem[]
  readonly context: CheckContext
}

const ROUNDS = 5
/** Keeping old versions is for a few files; when more of them fail, something else is wrong. */
const QUARANTINED_MAX = 100
const PROBLEMS_MAX = 1000
const PROBLEMS_IN_MESSAGE = 3

/**
 * Checks a draft as a whole. With `quarantine`, files that fail are replaced by their version in `head`, or left out
 * when they are new, until the rest passes. Rejects with `CHECK_FAILED`.
 */
export async function checkDraft(draft: Draft, deps: CheckDeps, op: Op): Promise<Checked> {
  const quarantined: Quarantined[] = []
  let { files } = draft
  for (let round = 1; ; round++) {
    const { problems, items } = await deps.kind.check(manifestTree({ files }, deps.blobs), deps.context, op)
    const errors = problems.filter(({ severity }) => severity === 'error')
    if (errors.length === 0 || draft.trusted === true) {
      return { files, items, quarantined, warnings: problems.map(asWarning) }
    }
    if (draft.quarantine !== true || round > ROUNDS) throw checkFailed(errors)
    const suspects = suspectsOf(errors, items, files, deps)
    if (suspects.size === 0 || quarantined.length + suspects.size > QUARANTINED_MAX) throw checkFailed(errors)
    for (const [path, problem] of suspects) quarantined.push({ path, problem, ...keptFrom(path, deps.head) })
    files = putBack(files, suspects, deps.head)
  }
}

function asWarning(problem: Problem): Problem {
  return { ...problem, severity: 'warning' }
}

/** Files to blame that are not as the last release has them, each with its first problem. */
function suspectsOf(
  errors: readonly Problem[],
  items: readonly TreeItem[],
  files: readonly TreeFile[],
  { head, before }: CheckDeps,
): ReadonlyMap<string, Problem> {
  const released = new Map(head.manifest.files.map(({ path, sha256 }) => [path, sha256]))
  const changed = new Set(files.filter(({ path, sha256 }) => released.get(path) !== sha256).map(({ path }) => path))
  const suspects = new Map<string, Problem>()
  for (const problem of errors) {
    for (const path of blamed(problem, items, before)) {
      if (changed.has(path) && !suspects.has(path)) suspects.set(path, problem)
    }
  }
  return suspects
}

/** An id that is there twice belongs to the file that had it in the last release, whichever comes second now. */
function blamed(problem: Problem, items: readonly TreeItem[], before: readonly TreeItem[]): readonly string[] {
  const owner = before.find(({ id }) => id === problem.dataset)?.path
  if (problem.code !== 'ID_DUPLICATE' || owner === undefined) return [problem.file]
  const claims = items.filter(({ id }) => id === problem.dataset).map(({ path }) => path)
  const others = [problem.file, ...claims].filter((path) => path !== owner)
  return others.length > 0 ? others : [problem.file]
}

function putBack(files: readonly TreeFile[], paths: ReadonlyMap<string, unknown>, head: Head): readonly TreeFile[] {
  const kept = head.manifest.files.filter(({ path }) => paths.has(path))
  return [...files.filter(({ path }) => !paths.has(path)), ...kept].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** A version that was kept before comes from where it was kept from then. */
function keptFrom(path: string, { number, record, manifest }: Head): { keptFrom?: number } {
  if (!manifest.files.some((file) => file.path === path)) return {}
  return { keptFrom: record?.quarantined?.find((file) => file.path === path)?.keptFrom ?? number }
}

export function checkFailed(errors: readonly Problem[]): FlotillaError {
  const first = errors.slice(0, PROBLEMS_IN_MESSAGE).map((problem) => `${placeOf(problem)}: ${problem.message}`)
  const more = errors.length > first.length ? `; and ${errors.length - first.length} more` : ''
  return new FlotillaError('CHECK_FAILED', first.join('; ') + more, {
    problems: errors.slice(0, PROBLEMS_MAX),
    hint: 'Nothing was changed. Repair it and release again; --quarantine keeps the last good version of files that fail.',
  })
}
