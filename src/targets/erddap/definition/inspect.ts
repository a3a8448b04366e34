import type { Finding } from './finding.ts'
import { ownText } from './own-text.ts'
import { columnIn, countLines } from '../../../lib/text-place.ts'
import { checkTopElement, type RawFinding } from './schema.ts'
import { reportVariables } from './variables.ts'
import type { Element, Oddity } from './xml.ts'

/** A hostile file could make millions. */
const FINDINGS_MAX = 50_000

/** `<erddapDatasets>` around everything, as in a template or a compiled file. */
export function wrapperOf(roots: readonly Element[]): Element | undefined {
  const [root] = roots
  return root?.name === 'erddapDatasets' ? root : undefined
}

/** Everything that can be said of well-formed text without knowing the tree it is from, by place. */
export function findingsOf(text: string, roots: readonly Element[], oddities: readonly Oddity[]): readonly Finding[] {
  const found: RawFinding[] = oddities.map((oddity) => ({ ...oddity, severity: 'error' }))
  const wrapper = wrapperOf(roots)
  const elements = wrapper?.children ?? roots
  if (wrapper === undefined) checkGaps(text, roots, found)
  else checkWrapper(wrapper, roots[1], found)
  for (const element of elements) {
    if (found.length >= FINDINGS_MAX) break
    found.push(...checkTopElement(element))
  }
  reportVariables(text, (finding) => found.length < FINDINGS_MAX && found.push(finding))
  if (found.length >= FINDINGS_MAX) found.push(tooMany(text))
  return place(text, elements, found)
}

/** An error of its own: what was not looked at must not pass. */
function tooMany(text: string): RawFinding {
  const message = `more than ${FINDINGS_MAX} findings; the rest was not looked at`
  return { code: 'FILE_TOO_LARGE', severity: 'error', message, offset: text.length }
}

function checkWrapper(root: Element, second: Element | undefined, found: RawFinding[]): void {
  const at = { code: 'TEMPLATE_ROOT', severity: 'error' } as const
  if (Object.keys(root.attributes).length > 0) {
    const hint = 'Write <erddapDatasets> without them.'
    found.push({ ...at, message: '<erddapDatasets> has attributes', hint, offset: root.start })
  }
  if (root.inner === root.innerEnd && root.inner === root.end) {
    const hint = 'Write <erddapDatasets></erddapDatasets>.'
    found.push({ ...at, message: '<erddapDatasets/> is closed where it opens', hint, offset: root.start })
  }
  if (second === undefined) return
  const hint = 'Move it inside: ERDDAP stops reading at </erddapDatasets>.'
  found.push({ ...at, message: `<${second.name}> stands behind </erddapDatasets>`, hint, offset: second.start })
}

/** Text between elements is ignored by ERDDAP, so it is a slip: half a comment, a lost tag. */
function checkGaps(text: string, roots: readonly Element[], found: RawFinding[]): void {
  let from = 0
  for (let index = 0; index <= roots.length; index++) {
    const to = roots[index]?.start ?? text.length
    const gap = text.slice(from, to).replace(/<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g, (hidden) => ' '.repeat(hidden.length))
    const at = gap.search(/\S/)
    if (at !== -1 && found.length < FINDINGS_MAX) {
      found.push({
        code: 'XML_MALFORMED',
        severity: 'error',
        message: 'text outside of all elements',
        hint: 'Remove it, or make it a comment.',
        offset: from + at,
      })
    }
    from = roots[index]?.end ?? text.length
  }
}

/** Works out lines, columns and datasets, in one walk through the text. */
function place(text: string, elements: readonly Element[], found: readonly RawFinding[]): readonly Finding[] {
  const datasets = elements.filter(({ name }) => name === 'dataset')
  const findings: Finding[] = []
  let line = 1
  let lineStart = 0
  let counted = 0
  let within = 0
  for (const { offset, ...finding } of found.toSorted((a, b) => a.offset - b.offset)) {
    while (within < datasets.length && (datasets[within]?.end ?? 0) <= offset) within++
    const inside = (datasets[within]?.start ?? Number.POSITIVE_INFINITY) <= offset
    const passed = countLines(text, counted, offset)
    if (passed > 0) lineStart = text.lastIndexOf('\n', offset - 1) + 1
    line += passed
    counted = offset
    findings.push({
      ...finding,
      message: ownText(finding.message),
      line,
      column: columnIn(text, lineStart, offset),
      ...(inside && { within }),
    })
  }
  return findings
}
