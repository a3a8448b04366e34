import type { At } from './model.ts'

/** What the end of a script stands in, the innermost last. */
export type Level =
  /** Commands. `closes`: a `)` ends them; `parentheses` are open within. `isList`: the words of `name=(…)`. */
  | { readonly kind: 'plain'; readonly closes: boolean; readonly isList?: true; parentheses: number }
  | { readonly kind: 'double' | 'single' | 'ansi' | 'comment' | 'backtick' }
  | { readonly kind: 'brace'; readonly isInDouble: boolean }
  | { readonly kind: 'arithmetic'; parentheses: number }
  /** `name[…]`: arithmetic as well, once what is in it is expanded and its quotes are gone. */
  | { readonly kind: 'subscript'; brackets: number }
  /** The word behind `<<`. */
  | { readonly kind: 'delimiter'; readonly strips: boolean; word: string; isQuoted: boolean; quote: string }
  | { readonly kind: 'document'; readonly of: Document; line: string; value: At | undefined }

export interface Document {
  readonly delimiter: string
  readonly isQuoted: boolean
  /** `<<-`: tabs before the delimiter do not count. */
  readonly strips: boolean
}

export const HINT = 'Give it to a variable first, on a line of its own: name={{ … }}; then use "$name".'

export const WHERE: Readonly<Record<Level['kind'], string>> = {
  plain: 'between commands, or with a line break in a list',
  double: 'in double quotes',
  single: 'in single quotes',
  comment: 'in a comment',
  document: 'in a here-document',
  delimiter: 'in the end of a here-document',
  arithmetic: 'in arithmetic',
  subscript: 'in the subscript of a list',
  ansi: "in $'…'",
  backtick: 'in backticks',
  brace: 'in ${…}',
}

/** The value as it stands there for itself; undefined where it cannot. */
export function quote(value: string, level: Level): string | undefined {
  const { kind } = level
  // Where such a list has a fault, bash drops the line and reads on with the next: it would be one of the value.
  if (kind === 'plain' && level.isList === true && value.includes('\n')) return undefined
  if (kind === 'plain') return asWord(value)
  if (kind === 'single') return withoutQuotes(value)
  if (kind === 'double') return value.replaceAll(/[\\$`"]/g, String.raw`\$&`)
  if (kind === 'document') return level.of.isQuoted ? value : value.replaceAll(/[\\$`]/g, String.raw`\$&`)
  if (kind === 'comment') return value.includes('\n') ? undefined : value
  return (kind === 'arithmetic' || kind === 'subscript') && /^-?\d+$/.test(value) ? value : undefined
}

/** One word of a shell, whatever it holds. */
export function asWord(value: string): string {
  return `'${withoutQuotes(value)}'`
}

function withoutQuotes(value: string): string {
  return value.replaceAll("'", String.raw`'\''`)
}
