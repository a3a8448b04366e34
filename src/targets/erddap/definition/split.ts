import { FlotillaError } from '../../../core/errors.ts'
import { sha256 } from '../../../lib/hash.ts'
import { ByteOffsets } from './byte-offsets.ts'
import { canonicalOf, datasetDigest, isActive } from './canonical.ts'
import { decodeXml } from './decode.ts'
import { elementsAt, Unreadable } from './lenient.ts'
import { ownText } from './own-text.ts'
import { countLines, placeAt } from './place.ts'
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
  const { text, utf8 } = textOf(xml)
  try {
    return split(text, utf8)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const place = placeAt(text, error.offset)
    throw new FlotillaError('CHECK_FAILED', `datasets.xml is not readable: ${error.message}`, place)
  }
}

function split(text: string, utf8: Buffer): SplitFile {
  if (rootOf(text).name !== 'erddapDatasets') throw new Unreadable('it does not begin with <erddapDatasets>', 0)
  const offsets = new ByteOffsets(text, utf8)
  const datasets: SplitDataset[] = []
  let settings = ''
  let line = 1
  let counted = 0
  for (const element of elementsAt(text, 1)) {
    const canonical = canonicalOf(element, text)
    if (element.name !== 'dataset') {
      settings += canonical
      continue
    }
    line += countLines(text, counted, element.start)
    counted = element.start
    const id = ownText(element.attributes['datasetID'] ?? '')
    const type = ownText(element.attributes['type'] ?? '')
    const active = isActive(element.attributes)
    const source = utf8.subarray(offsets.at(element.start), offsets.at(element.end))
    datasets.push({ id, type, active, digest: datasetDigest(canonical, active), source, line })
  }
  return { datasets, topDigest: sha256(settings) }
}

/** ERDDAP replaces bytes that do not fit instead of stopping. */
function textOf(xml: Uint8Array): { text: string; utf8: Buffer } {
  const decoded = decodeXml(xml)
  if ('text' in decoded) return decoded
  const text = Buffer.from(xml).toString()
  return { text, utf8: Buffer.from(text) }
}
