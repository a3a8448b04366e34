import { parseCsv } from './csv.ts'

/** An attribute and the text it should have. `variable` is a destination name, or `NC_GLOBAL`. */
export interface Attribute {
  readonly variable: string
  readonly attribute: string
  readonly value: string
}

/** The attributes that ERDDAP serves for one dataset, by `variable` and `attribute`. */
export type InfoPage = ReadonlyMap<string, string>

/** Reads /info/ID/index.csv, with columns Row Type, Variable Name, Attribute Name, Data Type, Value. */
export function parseInfoPage(csv: string): InfoPage {
  const attributes = new Map<string, string>()
  for (const [row, variable = '', attribute = '', , value = ''] of parseCsv(csv)) {
    if (row === 'attribute') attributes.set(keyOf({ variable, attribute }), value)
  }
  return attributes
}

/**
 * Which of two definitions a page shows.
 *
 * - `new`: at least one attribute has its new text, or no longer has the text that was taken out.
 * - `old`: none has, and at least one still has its old text, or is still missing as it was.
 * - `unlike`: no attribute is as either definition says.
 * - `same`: there is nothing to tell the two apart by.
 */
export type Shown = 'new' | 'old' | 'unlike' | 'same'

/**
 * `after`: what the new definition sets and the old one does not, or not so; `before` the other way round, undefined
 * where the old definition is not known. One new text is enough, because ERDDAP replaces a dataset as a whole, and
 * rewrites or adds some attributes itself.
 */
export function compareWithPage(page: InfoPage, after: readonly Attribute[], before?: readonly Attribute[]): Shown {
  if (after.some((expected) => shows(page, expected))) return 'new'
  const set = new Set(after.map(keyOf))
  const had = new Set(before?.map(keyOf))
  const [replaced, takenOut] = [
    before?.filter((old) => set.has(keyOf(old))),
    before?.filter((old) => !set.has(keyOf(old))),
  ]
  if (replaced?.some((old) => shows(page, old)) === true) return 'old'
  const missing = after.some((expected) => !had.has(keyOf(expected)) && !page.has(keyOf(expected)))
  if (before !== undefined && missing) return 'old'
  // A text that was taken out and is still there may be the data file's own, so it proves nothing.
  if (takenOut?.some((old) => !shows(page, old)) === true) return 'new'
  return after.length === 0 ? 'same' : 'unlike'
}

function shows(page: InfoPage, expected: Attribute): boolean {
  const value = page.get(keyOf(expected))
  return value !== undefined && normalise(value) === normalise(expected.value)
}

function keyOf({ variable, attribute }: Pick<Attribute, 'variable' | 'attribute'>): string {
  return `${variable}\n${attribute}`
}

/** ERDDAP trims and wraps some texts. */
function normalise(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
