import { type ErrorCode, ERRORS } from '../errors.ts'
import type { Rollout, RolloutReason } from '../rollout.ts'
import type { ItemReport, NodeTarget, TargetError } from '../target.ts'
import type { World } from './world.ts'

/** What a node's report says of the release that it is pinned to. */
export type Verdict =
  | { readonly is: 'proved' }
  /** `code`: an error of the node itself. It may pass, but is not waited for as long as a node that is at work. */
  | { readonly is: 'pending'; readonly why: string; readonly code?: string }
  | { readonly is: 'failed'; readonly reason: RolloutReason }

/**
 * Judges a node by what it has reported since it was pinned. `goal` is the number of the release.
 *
 * What may pass by itself, such as a hub that does not answer, is waited for; a full disk for a while. An item that failed on that node before it
 * was touched is no fault of the release.
 */
export function verdictOf(rollout: Rollout, goal: number, node: string, world: World): Verdict {
  const state = world.nodes.get(node)
  const pin = world.pins.get(node)
  if (state?.isAlive !== true) return { is: 'pending', why: 'it is lost' }
  const { report } = state
  const isNews = pin?.release === goal && (report?.asOf ?? 0) >= pin.revision
  if (report?.retrying === true) return { is: 'pending', why: whyRetrying(report) }
  if (report === undefined || !isNews) return { is: 'pending', why: 'it has not reported since it was told' }
  if (report.state === 'in-step' && report.served === goal) return { is: 'proved' }
  if (report.state === 'failed' && report.error !== undefined) return ofError(node, report.error)
  if (report.applied !== goal || report.state === 'unproved') return { is: 'pending', why: standOf(report) }
  const failed = failedOf(report).filter(([id]) => rollout.nodes[node]?.failedBefore?.includes(id) !== true)
  const [first] = failed
  if (first !== undefined && failed.length > rollout.strategy.failedMax) {
    return { is: 'failed', reason: ofItem(node, first) }
  }
  return report.state === 'failed' ? { is: 'proved' } : { is: 'pending', why: standOf(report) }
}

/** What is kept of a text that a node sent: it is written with every step. */
const TEXT_CHARS = 2000
const ID_CHARS = 200

/** Items that are failed on a node, as far as its report names them. */
export function failedOf({ troubled }: Pick<NodeTarget, 'troubled'>): readonly [string, ItemReport][] {
  return Object.entries(troubled).filter(([id, { state }]) => state === 'failed' && id.length <= ID_CHARS)
}

export function shortened(text: string): string {
  return text.slice(0, TEXT_CHARS).toWellFormed()
}

function ofError(node: string, { code, message, file, line }: TargetError): Verdict {
  // A fault without a code of its own may be anything, also one that passes.
  const mayPass = code === 'INTERNAL' || (code in ERRORS && ERRORS[code as ErrorCode].retry)
  if (code === 'DISK_FULL') return { is: 'pending', why: shortened(message), code }
  if (mayPass) return { is: 'pending', why: shortened(message) }
  return {
    is: 'failed',
    reason: { code: shortened(code), message: shortened(message), node, ...placeOf({ file, line }) },
  }
}

function ofItem(node: string, [item, { problem }]: [string, ItemReport]): RolloutReason {
  const { code = 'LOAD_FAILED', message = 'it failed to load', file, line } = problem ?? {}
  return { code: shortened(code), message: shortened(message), node, item, ...placeOf({ file, line }) }
}

function placeOf({ file, line }: { readonly file: string | undefined; readonly line: number | undefined }): {
  file?: string
  line?: number
} {
  return { ...(file !== undefined && { file: shortened(file) }), ...(line !== undefined && { line }) }
}

/** What failed and is tried again, in its own words: if the time is over before it passes, that is the reason. */
function whyRetrying({ error, troubled }: NodeTarget): string {
  const problem = error ?? Object.values(troubled).find(({ state }) => state === 'failed')?.problem
  return problem === undefined ? 'something failed there, and is tried again' : `${problem.message}; it is tried again`
}

function standOf({ state, error, progress }: NodeTarget): string {
  if (error !== undefined) return shortened(error.message)
  if (state === 'unproved') return 'its application does not answer'
  return `${progress.done} of ${progress.total} datasets are served`
}
