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
 * - `new`: every attribute that tells the new one has its text; or one is gone that was taken out.
 * - `old`: none has, and at least one still has its old text, or is still missing as it was.
 * - `same`: there is nothing to tell the two apart by.
 * - `unlike`: anything else.
 */
export type Shown = 'new' | 'old' | 'same' | 'unlike'

/**
 * `after`: what the new definition sets and the old one does not, or not so; `before` the other way round, undefined
 * where the old definition is not known.
 */
export function compareWithPage(page: InfoPage, after: readonly Attribute[], before?: readonly Attribute[]): Shown {
  if (after.length === 0) {
    // A text that was taken out and is still there may be the data file's own, so it proves nothing.
    return before?.some((old) => !shows(page, old)) === true ? 'new' : 'same'
  }
  const asNew = after.filter((expected) => shows(page, expected))
  if (asNew.length === after.length) return 'new'
  if (asNew.length > 0 || before === undefined) return 'unlike'
  const had = new Map(before.map((old) => [keyOf(old), old]))
  const isOld = after.some((expected) => {
    const old = had.get(keyOf(expected))
    return old === undefined ? !page.has(keyOf(expected)) : shows(page, old)
  })
  return isOld ? 'old' : 'unlike'
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
