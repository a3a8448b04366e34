import type { NodeAnswer } from '../api.ts'
import type { ErrorCode } from '../errors.ts'

/** Value of `node/<node>/rendered`: the files that templates make there. */
export interface NodeRendered {
  readonly state: 'in-step' | 'failed'
  /** How many there are, and how many of them are as their templates have them. */
  readonly files: number
  readonly inStep: number
  /** Where they are, at most 200. */
  readonly paths: readonly string[]
  /** Those that are not, at most 20. */
  readonly failed: readonly FailedRendering[]
  readonly atMs: number
}

export interface FailedRendering {
  /** Where the file is, with its last good content; the template's folder where nothing of it could be read. */
  readonly to: string
  readonly code: ErrorCode
  readonly message: string
  /** Place in the template. */
  readonly template?: string | undefined
  readonly line?: number | undefined
  readonly column?: number | undefined
  readonly hint?: string | undefined
}

export const FAILED_RENDERINGS_MAX = 20
export const RENDERED_PATHS_MAX = 200

/** `setup.sh.tmpl:3:8: the param "x" has no value`. */
export function renderingText({ template, line, column, message }: FailedRendering): string {
  const place = [template, line, column].filter((part) => part !== undefined).join(':')
  return place === '' ? message : `${place}: ${message}`
}

/** How all nodes fare with the files that templates make; undefined where no node has any. */
export interface RenderedStatus {
  readonly state: 'in-step' | 'failed'
  /** `IN STEP rendered files, 3/3 nodes have them`. */
  readonly summary: string
  readonly nodes: number
  readonly inStep: number
}

export function renderedStatusOf(all: readonly NodeAnswer[]): RenderedStatus | undefined {
  const nodes = all.filter(({ rendered }) => rendered !== undefined)
  if (nodes.length === 0) return undefined
  const good = nodes.filter(({ liveness, rendered }) => liveness === 'alive' && rendered?.state === 'in-step')
  const share = `rendered files, ${good.length}/${nodes.length} nodes have them`
  const count = { nodes: nodes.length, inStep: good.length }
  const bad = nodes.find((node) => !good.includes(node))
  if (bad === undefined) return { state: 'in-step', summary: `IN STEP ${share}`, ...count }
  return { state: 'failed', summary: `NOT IN STEP ${share}; ${whyNot(bad)}`, ...count }
}

function whyNot({ node, liveness, rendered }: NodeAnswer): string {
  if (liveness === 'lost') return `${node} is lost`
  const [first] = rendered?.failed ?? []
  return first === undefined ? `${node} failed` : `${node}: ${first.to}: ${renderingText(first)}`
}
