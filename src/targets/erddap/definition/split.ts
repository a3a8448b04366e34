import { isAscii } from 'node:buffer'
import { FlotillaError } from '../../../core/errors.ts'
import { sha256 } from '../../../lib/hash.ts'
import { canonicalOf, datasetDigest, isActive } from './canonical.ts'
import { decodeXml } from '../../../lib/decode-xml.ts'
import { elementsAt, Unreadable } from './lenient.ts'
import { ownText } from './own-text.ts'
import { countLines, placeAt } from '../../../lib/text-place.ts'
import { rootOf } from './record.ts'

export interface SplitDataset {
  readonly id: string
  readonly type: string
  readonly active: boolean
  /** As `compile` has it for the dataset it writes. */
  readonly digest: string
  readonly source: Uint8Array
  readonly line: number
}

export interface SplitFile {
  /** In the order of the file. Of an id that occurs twice ERDDAP takes the first. */
  readonly datasets: readonly SplitDataset[]
  /** As `compile` has it for the settings it writes. */
  readonly topDigest: string
}

/**
 * The top-level datasets of an existing datasets.xml, as ERDDAP sees them. Takes whatever ERDDAP takes; throws
 * `CHECK_FAILED` with the line where ERDDAP would stop reading.
 */
export function splitDatasets(xml: Uint8Array): SplitFile {
  const utf8 = utf8Of(xml)
  // One character a byte, whatever they mean: mark-up is ASCII, and offsets are those of the bytes.
  const bytes = utf8.toString('latin1')
  try {
    return split(bytes, utf8)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const place = placeAt(bytes, error.offset)
    throw new FlotillaError('CHECK_FAILED', `datasets.xml is not readable: ${error.message}`, place)
  }
}

function split(bytes: string, utf8: Buffer): SplitFile {
  if (rootOf(bytes).name !== 'erddapDatasets') throw new Unreadable('it does not begin with <erddapDatasets>', 0)
  const datasets: SplitDataset[] = []
  let settings = ''
  let line = 1
  let counted = 0
  for (const element of elementsAt(bytes, 1)) {
    const source = utf8.subarray(element.start, element.end)
    const canonical = isAscii(source) ? canonicalOf(element, bytes) : canonicalOfSource(source)
    if (element.name !== 'dataset') {
      settings += canonical
      continue
    }
    line += countLines(bytes, counted, element.start)
    counted = element.start
    const id = ownText(element.attributes['datasetID'] ?? '')
    const type = ownText(element.attributes['type'] ?? '')
    const active = isActive(element.attributes)
    datasets.push({ id, type, active, digest: datasetDigest(canonical, active), source, line })
  }
  return { datasets, topDigest: sha256(settings) }
}

function canonicalOfSource(source: Buffer): string {
  const text = source.toString()
  return Array.from(elementsAt(text, 0), (element) => canonicalOf(element, text)).join('')
}

/** ERDDAP replaces bytes that do not fit instead of stopping. */
function utf8Of(xml: Uint8Array): Buffer {
  const decoded = decodeXml(xml)
  return 'utf8' in decoded ? decoded.utf8 : Buffer.from(Buffer.from(xml).toString())
}
