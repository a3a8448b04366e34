import { FlotillaError } from '../errors.ts'
import type { Json } from '../json-patch/json.ts'

/** Where something stands in a template. Both numbers start at 1. */
export interface At {
  readonly template: string
  readonly line: number
  readonly column: number
}

/** A template in pieces, in the order of its text. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string; readonly at: At }
  | { readonly kind: 'value'; readonly value: Expression; readonly at: At }
  | { readonly kind: 'include'; readonly name: string; readonly at: At }
  | {
      readonly kind: 'if'
      readonly branches: readonly { readonly test: Expression; readonly body: readonly Piece[] }[]
      readonly otherwise: readonly Piece[]
      readonly at: At
    }
  | {
      readonly kind: 'for'
      readonly key: string | undefined
      readonly item: string
      readonly over: Expression
      readonly body: readonly Piece[]
      readonly otherwise: readonly Piece[]
      readonly at: At
    }

export type Expression =
  | { readonly kind: 'literal'; readonly value: Json; readonly at: At }
  /** `node.name`; the first of them is a name that stands for something. */
  | { readonly kind: 'name'; readonly path: readonly [string, ...string[]]; readonly at: At }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[]; readonly at: At }
  | { readonly kind: 'not'; readonly value: Expression; readonly at: At }
  | {
      readonly kind: 'compare'
      readonly isEqual: boolean
      readonly left: Expression
      readonly right: Expression
      readonly at: At
    }

export const TEMPLATE_LIMITS = {
  /** Characters of one template. */
  source: 256 * 1024,
  /** Characters of what is rendered. */
  output: 4 * 1024 * 1024,
  /** Of blocks in each other, of parentheses, of templates that include each other, and of params that hold templates. */
  depth: 16,
  /** Pieces that are rendered, each round of a loop counted anew. */
  steps: 100_000,
  /** Characters that go through functions, or are written, until all is done. */
  work: 16 * 1024 * 1024,
  tokens: 16,
  tokenMinSeconds: 60,
  tokenMaxSeconds: 86_400,
} as const

/** `TEMPLATE_FAILED`, with the place. */
export function templateError({ template, line, column }: At, message: string, hint?: string): FlotillaError {
  return new FlotillaError('TEMPLATE_FAILED', message, { file: template, line, column, hint })
}
