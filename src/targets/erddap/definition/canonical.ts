import { sha256 } from '../../../lib/hash.ts'
import { contentOf } from './text.ts'
import { type Element, NO_ATTRIBUTES } from './xml.ts'

/**
 * A text that is equal for two elements exactly when ERDDAP reads the same from both: comments, indentation, quoting, the
 * order of a tag's attributes and the spelling of characters do not count, the order of elements does. `active` of the
 * element itself is left out; that of a child counts as ERDDAP takes it.
 */
export function canonicalOf(element: Element, text: string): string {
  return append('', element, text, true)
}

/** The digest of a dataset: of its canonical text, and of whether it is active. */
export function datasetDigest(canonicalText: string, active: boolean): string {
  return sha256(active ? canonicalText : `inactive\n${canonicalText}`)
}

/** Only this switches a dataset off; ERDDAP takes any other value for "on". */
export function isActive(attributes: Readonly<Record<string, string>>): boolean {
  return attributes['active'] !== 'false'
}

// Control characters that no XML text can hold, so that nothing in a text can look like structure.
const OPEN = '\u0001'
const NAME = '\u0002'
const VALUE = '\u0003'
const TEXT = '\u0004'
const CLOSE = '\u0005'

/** Adds an element to what is there already: every string on the way costs, and there are a million of them. */
function append(before: string, element: Element, text: string, outermost: boolean): string {
  let result = before + (OPEN + element.name)
  if (element.attributes !== NO_ATTRIBUTES) result = appendAttributes(result, element, outermost)
  for (const child of element.children) result = append(result, child, text, false)
  if (element.children.length > 0) return result + CLOSE
  const content = contentOf(text.slice(element.inner, element.innerEnd))
  return content === '' ? result + CLOSE : result + TEXT + content + CLOSE
}

function appendAttributes(before: string, { name, attributes }: Element, outermost: boolean): string {
  const names = Object.keys(attributes)
  if (names.length > 1) names.sort()
  let result = before
  for (const attribute of names) {
    const value = attributes[attribute] ?? ''
    const isDefault = attribute === 'active' && name === 'dataset' && (outermost || value !== 'false')
    if (!isDefault) result += NAME + attribute + VALUE + value
  }
  return result
}
