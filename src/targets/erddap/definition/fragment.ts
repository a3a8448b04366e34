import { type ListName, LISTS } from '../../../core/lists.ts'
import { ByteOffsets } from './byte-offsets.ts'
import { canonicalOf, datasetDigest, isActive } from './canonical.ts'
import { decodeXml, type EncodingFinding, textOf } from '../../../lib/decode-xml.ts'
import { explain } from './explain.ts'
import type { Finding } from './finding.ts'
import { findingsOf, wrapperOf } from './inspect.ts'
import { listValues } from './list-values.ts'
import { ownText } from './own-text.ts'
import { countLines } from '../../../lib/text-place.ts'
import { isOtherDocument } from './record.ts'
import { contentOf, readableReferences } from './text.ts'
import { type Element, type Fault, parseXml } from './xml.ts'

/** What one file of definitions holds. Says nothing of its path, so that it can be kept under the hash of its bytes. */
export interface Fragment {
  /**
   * `fragment`: top-level elements side by side. `collection`: they stand inside `<erddapDatasets>`. `other`: no
   * definitions but another kind of XML document, not looked into.
   */
  readonly kind: 'fragment' | 'collection' | 'other'
  /** UTF-8 as it goes into datasets.xml: without declaration and outer white space, ending with a line feed. */
  readonly bytes: Uint8Array
  /** Line of the file on which `bytes` begin. */
  readonly line: number
  /** How many lines `bytes` are. */
  readonly lines: number
  readonly datasets: readonly FragmentDataset[]
  /** The other top-level elements, in order. */
  readonly settings: readonly FragmentSetting[]
  /** Of a collection: the offsets in `bytes` behind the start tag of `<erddapDatasets>`, and of its end tag. */
  readonly openAt: number
  readonly closeAt: number
  /** True if `${node.…}` occurs, so that `bytes` are not yet what ERDDAP should read. */
  readonly usesNodeValues: boolean
  readonly findings: readonly Finding[]
}

/** A top-level dataset; offsets count bytes of the fragment. */
export interface FragmentDataset {
  readonly id: string
  readonly type: string
  readonly active: boolean
  readonly digest: string
  /** Line of the file. */
  readonly line: number
  readonly start: number
  readonly end: number
}

export interface FragmentSetting {
  readonly start: number
  readonly end: number
  readonly canonical: string
  /** What it says where it is one of those that the cluster's lists are merged with. */
  readonly list?: { readonly name: ListName; readonly values: readonly string[] }
}

export const FRAGMENT_BYTES_MAX = 16 * 1024 * 1024

/** Reads one file. What is wrong is in `findings`; with an error of form there is nothing else. */
export async function readFragment(bytes: Uint8Array): Promise<Fragment> {
  const decoded = decodeXml(bytes)
  if ('code' in decoded) return broken(asFinding(decoded, 'error'))
  const text = textOf(decoded)
  if (isOtherDocument(text)) return { ...NO_DEFINITIONS, kind: 'other' }
  const fragment = await readText(text, { utf8: decoded.utf8 })
  if (decoded.warning === undefined) return fragment
  return { ...fragment, findings: [asFinding(decoded.warning, 'warning'), ...fragment.findings] }
}

export interface TextOptions {
  /** The text's bytes, if they are at hand. */
  readonly utf8?: Buffer
  /** Line of the file on which the text begins. */
  readonly line?: number
}

/** Reads the text of a file. */
export async function readText(text: string, options: TextOptions = {}): Promise<Fragment> {
  const parsed = parseXml(text)
  if (parsed.fault !== undefined) return broken(await faultFinding(text, parsed.fault))
  if (!/\S/.test(text)) return broken(emptyFinding())
  const findings = findingsOf(text, parsed.roots, parsed.oddities)
  const readable = readableReferences(text)
  if (readable === text) return build(text, parsed.roots, findings, options)
  const again = parseXml(readable)
  if (again.fault !== undefined) throw new Error(`references made unreadable: ${again.fault.message}`)
  return build(readable, again.roots, findings, { ...options, utf8: Buffer.from(readable) })
}

function build(
  text: string,
  roots: readonly Element[],
  findings: readonly Finding[],
  { utf8 = Buffer.from(text), line: firstLine = 1 }: TextOptions,
): Fragment {
  const root = wrapperOf(roots)
  const start = text.search(/\S/)
  const end = text.trimEnd().length
  const offsets = new ByteOffsets(text, utf8)
  const first = offsets.at(start)
  const datasets: FragmentDataset[] = []
  const settings: FragmentSetting[] = []
  const openAt = root === undefined ? 0 : offsets.at(root.inner) - first
  let line = firstLine
  let counted = 0
  for (const element of root?.children ?? roots) {
    const canonical = canonicalOf(element, text)
    if (element.name !== 'dataset') {
      const [from, to] = [offsets.at(element.start) - first, offsets.at(element.end) - first]
      settings.push({ start: from, end: to, canonical: ownText(canonical), ...listOf(element, text) })
      continue
    }
    line += countLines(text, counted, element.start)
    counted = element.start
    const active = isActive(element.attributes)
    datasets.push({
      id: ownText(element.attributes['datasetID'] ?? ''),
      type: ownText(element.attributes['type'] ?? ''),
      active,
      digest: datasetDigest(canonical, active),
      line,
      start: offsets.at(element.start) - first,
      end: offsets.at(element.end) - first,
    })
  }
  const closeAt = root === undefined ? 0 : offsets.at(root.innerEnd) - first
  const bytes = lineEnded(utf8, first, offsets.at(end))
  return {
    kind: root === undefined ? 'fragment' : 'collection',
    bytes,
    line: firstLine + countLines(text, 0, start),
    lines: countLines(text, start, end) + 1,
    datasets,
    settings,
    openAt,
    closeAt,
    usesNodeValues: text.includes('${node.'),
    findings,
  }
}

function listOf({ name, inner, innerEnd }: Element, text: string): Pick<FragmentSetting, 'list'> {
  const list = LISTS.find((known) => known === name)
  if (list === undefined) return {}
  return { list: { name: list, values: listValues(contentOf(text.slice(inner, innerEnd))).map(ownText) } }
}

/** The bytes with the line feed that follows them; a copy only if none does. */
function lineEnded(bytes: Buffer, start: number, end: number): Buffer {
  const behind = bytes[end] === 13 ? end + 1 : end
  if (bytes[behind] === 10) return bytes.subarray(start, behind + 1)
  return Buffer.concat([bytes.subarray(start, end), Buffer.from('\n')])
}

/** What a file amounts to of which nothing goes into datasets.xml. */
export const NO_DEFINITIONS: Fragment = {
  kind: 'fragment',
  bytes: new Uint8Array(),
  line: 1,
  lines: 0,
  datasets: [],
  settings: [],
  openAt: 0,
  closeAt: 0,
  usesNodeValues: false,
  findings: [],
}

function broken(finding: Finding): Fragment {
  return { ...NO_DEFINITIONS, findings: [finding] }
}

function asFinding(finding: EncodingFinding, severity: Finding['severity']): Finding {
  return { ...finding, severity }
}

function emptyFinding(): Finding {
  return {
    code: 'XML_MALFORMED',
    severity: 'error',
    message: 'the file is empty',
    hint: 'It may have been cut off when it was written. Restore or remove it.',
    line: 1,
    column: 1,
  }
}

async function faultFinding(text: string, fault: Fault): Promise<Finding> {
  const { message, line, column } = await explain(text, fault)
  const hint = fault.code === 'XML_DOCTYPE' ? 'Remove it; the entities of HTML are known without it.' : undefined
  return { code: fault.code, severity: 'error', message, line, column, ...(hint !== undefined && { hint }) }
}
