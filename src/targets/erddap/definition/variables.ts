import type { RawFinding } from './schema.ts'
import { escapeXml, mapSpans, spansOf } from './text.ts'

/** `${node.NAME}`, and whatever else starts with `${`. */
const VARIABLE = /\$\{(?:node\.([A-Za-z][A-Za-z0-9_-]*)\}|[^}<\n]*\}?)/g
const LOOKS_LIKE_NODE = /^\$\{\s*node\b/i

/** Reports every `${…}` outside comments: each name of `${node.…}` once, what is misspelt, and what ERDDAP would replace. */
export function reportVariables(text: string, report: (finding: RawFinding) => void): void {
  if (!text.includes('${')) return
  const seen = new Set<string>()
  for (const span of spansOf(text)) {
    if (span.kind === 'comment') continue
    for (const match of text.slice(span.start, span.end).matchAll(VARIABLE)) {
      const finding = judge(match[0], match[1], span.start + match.index)
      if (finding.nodeValue !== undefined && seen.has(finding.nodeValue)) continue
      if (finding.nodeValue !== undefined) seen.add(finding.nodeValue)
      report(finding)
    }
  }
}

function judge(variable: string, name: string | undefined, offset: number): RawFinding {
  if (name !== undefined) return unknownValue(name, offset)
  const shown = variable.slice(0, 60)
  if (LOOKS_LIKE_NODE.test(variable)) {
    const hint = 'Write ${node.name}: a letter, then letters, digits, "_" or "-".'
    return { code: 'NODE_VALUE_SYNTAX', severity: 'error', message: `"${shown}" is no node value`, hint, offset }
  }
  return {
    code: 'ENV_SUBSTITUTION',
    severity: 'warning',
    message: `ERDDAP 2.29 and later may replace "${shown}" when it reads the file`,
    hint: 'Use ${node.…}, or switch it off in ERDDAP with enableEnvParsing=false.',
    offset,
  }
}

function unknownValue(name: string, offset: number): RawFinding {
  return {
    code: 'NODE_VALUE_UNKNOWN',
    severity: 'error',
    message: `no value "${name}" is defined on every node`,
    hint: `Add ${name} to "values" in the configuration of each node.`,
    offset,
    nodeValue: name,
  }
}

/**
 * `text` with each `${node.NAME}` outside comments replaced, as XML needs it where it stands. Lines stay lines.
 * Reports names without a value, and values that would break lines or are no XML.
 */
export function fillNodeValues(
  text: string,
  values: ReadonlyMap<string, string>,
  report: (finding: RawFinding) => void,
): string {
  return mapSpans(text, (part, { kind, start }) => {
    if (kind === 'comment') return part
    return part.replace(VARIABLE, (variable, name: string | undefined, at: number) => {
      if (name === undefined) return variable
      const value = values.get(name)
      const offset = start + at
      if (value === undefined) report(unknownValue(name, offset))
      else if (!fits(value, kind)) report(unfit(name, offset))
      else return kind === 'cdata' ? value : escapeXml(value)
      return variable
    })
  })
}

function unfit(name: string, offset: number): RawFinding {
  return {
    code: 'NODE_VALUE_SYNTAX',
    severity: 'error',
    message: `the value of "${name}" on this node cannot stand in XML here`,
    hint: 'It must be one line, without control characters, and without "]]>" in a CDATA section.',
    offset,
  }
}

function fits(value: string, kind: 'text' | 'cdata'): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffe\uffff]/.test(value) || !value.isWellFormed()) return false
  return kind === 'text' || !value.includes(']]>')
}
