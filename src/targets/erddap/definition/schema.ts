import { didYouMean } from '../../../lib/closest.ts'
import { isActive } from './canonical.ts'
import { DATASET_ID } from './dataset-id.ts'
import type { Finding } from './finding.ts'
import { DATASET_TYPES, type Rule, type Rules, TOP_TAGS } from './tags.ts'
import type { Element } from './xml.ts'

/** A finding before its line and column are worked out. */
export interface RawFinding extends Omit<Finding, 'line' | 'column' | 'within'> {
  readonly offset: number
}

/** More of one dataset says nothing new, and a hostile file could hold millions. */
const FINDINGS_MAX = 100

/** Checks one element that stands directly under `<erddapDatasets>`: its tag, and everything inside it. */
export function checkTopElement(element: Element): readonly RawFinding[] {
  const found: RawFinding[] = []
  const rule = TOP_TAGS.get(element.name)
  if (rule === undefined) {
    found.push({
      code: 'TAG_UNKNOWN_TOP',
      severity: 'error',
      message: `ERDDAP knows no top-level tag <${element.name}>`,
      hint: didYouMean(element.name, TOP_TAGS.keys()) ?? 'Files that are no definitions belong under files/.',
      offset: element.start,
    })
  } else if (element.name === 'dataset') {
    checkDataset(element, found)
  } else {
    checkVersion(element, rule, found)
    checkInside(element, rule, `<${element.name}>`, 'TAG_UNKNOWN_TOP', found)
  }
  return found
}

const ID_LENGTH_MAX = 128
/** ERDDAP's own table of its datasets, and the name that no list of ids in JSON can hold. */
const RESERVED_IDS: ReadonlySet<string> = new Set(['allDatasets', '__proto__'])

function checkDataset(dataset: Element, found: RawFinding[]): void {
  checkId(dataset, found)
  const type = dataset.attributes['type']
  const at = { severity: 'error', offset: dataset.start, onlyIfActive: true } as const
  if (type === undefined || type === '') {
    const hint = 'Add type="EDD…".'
    found.push({ ...at, code: 'TYPE_MISSING', message: 'the dataset has no type', hint })
    return
  }
  const rule = DATASET_TYPES.get(type)
  if (rule === undefined) {
    const hint =
      didYouMean(type, DATASET_TYPES.keys()) ??
      'The types are listed in ERDDAP\'s "Working with the datasets.xml file".'
    found.push({ ...at, code: 'TYPE_UNKNOWN', message: `ERDDAP has no dataset type "${type}"`, hint })
    return
  }
  checkVersion(dataset, rule, found)
  checkInside(dataset, rule, type, 'TAG_UNKNOWN', found)
}

function checkId({ attributes, start }: Element, found: RawFinding[]): void {
  const id = attributes['datasetID']
  const at = { severity: 'error', offset: start } as const
  if (id === undefined || id.trim() === '') {
    const near = id === undefined ? didYouMean('datasetID', Object.keys(attributes)) : undefined
    const hint = near === undefined ? 'Add datasetID="…".' : 'The attribute is datasetID, spelt exactly so.'
    found.push({ ...at, code: 'ID_MISSING', message: 'the dataset has no datasetID', hint })
  } else if (!DATASET_ID.test(id) || id.length > ID_LENGTH_MAX || RESERVED_IDS.has(id)) {
    const hint = `Use letters, digits, "_" and "-", starting with a letter, at most ${ID_LENGTH_MAX}.`
    found.push({ ...at, code: 'ID_ILLEGAL', message: `"${id.slice(0, 200)}" is no legal datasetID`, hint })
  }
}

function checkInside(parent: Element, rule: Rule, where: string, code: Finding['code'], found: RawFinding[]): void {
  for (const child of parent.children) {
    if (found.length >= FINDINGS_MAX) return
    const allowed = rule.inside?.get(child.name)
    if (allowed === undefined) reportUnknown(child, rule.inside ?? new Map(), where, code, found)
    else if (child.name !== 'dataset') {
      checkVersion(child, allowed, found)
      if (child.name === 'att') checkAttribute(child, found)
      checkInside(child, allowed, `<${child.name}>`, code, found)
    } else if (isActive(child.attributes)) checkDataset(child, found)
  }
}

function reportUnknown(child: Element, known: Rules, where: string, code: Finding['code'], found: RawFinding[]): void {
  const { name, start: offset } = child
  const at = { code, severity: 'error', offset, onlyIfActive: true } as const
  if (name === RETIRED) {
    const hint = 'Delete it if it is 1; otherwise set scale_factor of the altitude variable.'
    found.push({ ...at, message: `ERDDAP does not load a dataset with <${name}>`, hint })
    return
  }
  const hint = didYouMean(name, known.keys()) ?? elsewhere(name)
  found.push({ ...at, message: `ERDDAP knows no <${name}> in ${where}`, ...(hint !== undefined && { hint }) })
}

/** Outside EDDTableFromSOS, ERDDAP reads this tag only to refuse it with a message of its own. */
const RETIRED = 'altitudeMetersPerSourceUnit'

function elsewhere(tag: string): string | undefined {
  const types = [...DATASET_TYPES].filter(([, { inside }]) => inside?.has(tag)).map(([type]) => type)
  if (types.length > 0) return `It belongs to other types, such as ${types[0]}.`
  return tag === 'att' ? 'It belongs inside <addAttributes>.' : undefined
}

/** ERDDAP fails to load the dataset, which takes the served one away. */
function checkAttribute({ attributes, start }: Element, found: RawFinding[]): void {
  if ((attributes['name'] ?? '').trim() !== '') return
  const hint = 'Add name="…": without it ERDDAP does not load the dataset.'
  found.push({
    code: 'XML_FORM',
    severity: 'error',
    message: 'an <att> without a name',
    hint,
    offset: start,
    onlyIfActive: true,
  })
}

function checkVersion({ name, attributes, start }: Element, { since }: Rule, found: RawFinding[]): void {
  if (since === undefined) return
  const what = name === 'dataset' ? `the type ${attributes['type']}` : `<${name}>`
  found.push({
    code: 'TAG_VERSION',
    severity: 'error',
    message: `${what} needs ERDDAP ${since}`,
    hint: 'Update ERDDAP on the nodes that are older, or leave it out.',
    offset: start,
    onlyIfActive: true,
    since,
  })
}
