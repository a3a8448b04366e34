import { FlotillaError } from '../../../core/errors.ts'
import type { Problem } from '../../../core/problem.ts'
import { sha256 } from '../../../lib/hash.ts'
import type { FragmentCache } from './cache.ts'
import { isActiveWith, overrideOf, placeIn } from './check.ts'
import { type Fragment, readText } from './fragment.ts'
import { wrapperOf } from './inspect.ts'
import type { Source } from './load.ts'
import { columnAt, countLines } from '../../../lib/text-place.ts'
import { fillNodeValues } from './variables.ts'
import { parseXml } from './xml.ts'

export interface Adaptation {
  readonly values: ReadonlyMap<string, string>
  /** Datasets switched on or off by an operator. */
  readonly active: Readonly<Record<string, boolean>>
  readonly cache: FragmentCache
}

/**
 * The fragment as this node's ERDDAP shall read it: node values filled in, overrides of `active` applied. Everything else,
 * lines included, stays as it is. Rejects with `PREPARE_FAILED` where a node value is missing or does not fit.
 */
export async function adapt(source: Source, adaptation: Adaptation): Promise<Fragment> {
  const { fragment } = source
  const overrides = fragment.datasets.filter((dataset) => isActiveWith(adaptation.active, dataset) !== dataset.active)
  if (!fragment.usesNodeValues && overrides.length === 0) return fragment
  const key = keyOf(source, adaptation, overrides)
  const held = adaptation.cache.get(key)
  if (held !== undefined) return held
  let text = Buffer.from(fragment.bytes).toString()
  if (fragment.usesNodeValues) text = filled(text, source, adaptation.values)
  if (overrides.length > 0) text = withActive(text, adaptation.active)
  const adapted = await readText(text, { line: fragment.line })
  refuseBroken(adapted, source)
  adaptation.cache.set(key, adapted)
  return adapted
}

/** A value may fit by itself and not together with what stands beside it: `]]` and `>`. */
function refuseBroken({ findings }: Fragment, source: Source): void {
  const broken = findings.find(({ code }) => code === 'XML_MALFORMED')
  if (broken === undefined) return
  const { code, severity, message, column, line } = broken
  const place = placeIn(source, source.fragment.line + line - 1)
  throw prepareFailed([{ code, severity, message: `with this node's values: ${message}`, ...place, column }])
}

function keyOf({ key, fragment }: Source, { values }: Adaptation, overrides: Fragment['datasets']): string {
  const filledIn = fragment.usesNodeValues ? [...values] : []
  return sha256(JSON.stringify([key, filledIn, overrides.map(({ id, active }) => [id, !active])]))
}

function filled(text: string, source: Source, values: ReadonlyMap<string, string>): string {
  const problems: Problem[] = []
  const result = fillNodeValues(text, values, ({ code, severity, message, hint, offset }) => {
    const place = placeIn(source, source.fragment.line + countLines(text, 0, offset))
    const column = columnAt(text, offset)
    problems.push({ code, severity, message, ...place, column, ...(hint !== undefined && { hint }) })
  })
  if (problems.length > 0) throw prepareFailed(problems)
  return result
}

/** `problems` may hold warnings too, but at least one error. */
export function prepareFailed(problems: readonly Problem[]): FlotillaError {
  const [first, ...others] = problems.filter(({ severity }) => severity === 'error')
  const more = others.length > 0 ? ` (and ${others.length} more)` : ''
  return new FlotillaError('PREPARE_FAILED', `datasets.xml could not be made: ${first?.message}${more}`, {
    problems,
    ...(first !== undefined && { file: first.file, hint: first.hint }),
    ...(first?.line !== undefined && { line: first.line }),
    ...(first?.column !== undefined && { column: first.column }),
  })
}

/** Changes nothing but the attribute `active` of the start tags concerned. */
function withActive(text: string, active: Readonly<Record<string, boolean>>): string {
  const parsed = parseXml(text)
  if (parsed.fault !== undefined) throw new Error(`unreadable after filling in: ${parsed.fault.message}`)
  const elements = wrapperOf(parsed.roots)?.children ?? parsed.roots
  let result = ''
  let done = 0
  for (const { name, attributes, start, inner } of elements) {
    const wanted = overrideOf(active, attributes['datasetID'] ?? '')
    if (name !== 'dataset' || wanted === undefined) continue
    result += text.slice(done, start) + setActive(text.slice(start, inner), wanted)
    done = inner
  }
  return result + text.slice(done)
}

const ATTRIBUTE = /(\s)([^\s=]+)=(?:"[^"]*"|'[^']*')/g

function setActive(startTag: string, active: boolean): string {
  const written = `active="${active}"`
  let found = false
  const replaced = startTag.replace(ATTRIBUTE, (attribute, space: string, name: string) => {
    if (name !== 'active') return attribute
    found = true
    return space + written
  })
  return found ? replaced : startTag.replace('<dataset', `<dataset ${written}`)
}
