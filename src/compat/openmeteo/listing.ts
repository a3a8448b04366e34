import type { FileEntry } from '../../core/files/entry.ts'
import { escapeXml } from '../../lib/s3/xml-write.ts'

/** A line of a listing by folders: a file, or a folder that ends with a slash. */
export type OpenMeteoLine = Pick<FileEntry, 'key' | 'size' | 'modifiedMs'> | { readonly commonPrefix: string }

export interface OpenMeteoListing {
  readonly prefix: string
  /** From the begin of what is asked for; called for each time that it is gone through. */
  readonly lines: () => Iterable<OpenMeteoLine>
  /** For what follows a line, of letters, digits, `-` and `_`. */
  readonly tokenOf: (after: string) => string
  /** Its clients read at most 50 MiB. */
  readonly bytesMax?: number | undefined
}

/** Below the limit of its clients by what the head takes. */
const BYTES_MAX = 50 * 1024 * 1024 - 16 * 1024
/** So many are held at once; what is longer is gone through again instead. */
const HELD_MAX = 2000
const CHUNK = 64 * 1024
/** A file of less cannot be one of Open-Meteo's, and its clients give up a whole model over one. */
const FILE_BYTES_MIN = 4

/**
 * The body of a list as Open-Meteo's server makes it, in pieces: folders first, never cut into pages below what its clients can read,
 * without files that would make them fail. Byte for byte: its clients look for texts in it and parse no XML.
 */
export function* openMeteoList(listing: OpenMeteoListing): Generator<string, void> {
  const measured = measure(listing)
  const { count, next, held } = measured
  yield head(listing.prefix, count, next === undefined ? undefined : listing.tokenOf(next))
  const some = (): Iterable<OpenMeteoLine> => held ?? firstOf(visible(listing.lines()), count)
  yield '    '
  yield* joined(some(), (line) => ('commonPrefix' in line ? folderElement(line.commonPrefix) : undefined))
  yield '\n    '
  yield* joined(some(), (line) => ('key' in line ? fileElement(line) : undefined))
  yield '\n</ListBucketResult>'
}

/** The list of the roots, which are no folders of one folder on its servers. */
export function openMeteoRoots(trees: readonly string[]): string {
  const known = KNOWN_ROOTS.filter((name) => trees.includes(name))
  const others = trees.filter((name) => !KNOWN_ROOTS.includes(name))
  const folders = [...known, ...others].map(
    (name) => `    <CommonPrefixes>\n    <Prefix>${escapeXml(name)}/</Prefix>\n    </CommonPrefixes>\n`,
  )
  return `${head('/', folders.length, undefined)}${folders.join('')}</ListBucketResult>`
}

/** In its order. */
const KNOWN_ROOTS: readonly string[] = ['data', 'data_spatial', 'data_run']

interface Measured {
  readonly count: number
  /** What the last line is called, where there are more. */
  readonly next: string | undefined
  /** All lines, where they are few. */
  readonly held: readonly OpenMeteoLine[] | undefined
}

/** How many lines go into one body: that stands in its head. */
function measure({ lines, bytesMax = BYTES_MAX }: OpenMeteoListing): Measured {
  let held: OpenMeteoLine[] | undefined = []
  let count = 0
  let bytes = 0
  let last = ''
  for (const line of visible(lines())) {
    bytes += bytesOf(line)
    if (bytes > bytesMax) return { count, next: last, held }
    count++
    last = nameOf(line)
    if (count > HELD_MAX) held = undefined
    held?.push(line)
  }
  return { count, next: undefined, held }
}

function* visible(lines: Iterable<OpenMeteoLine>): Generator<OpenMeteoLine, void> {
  for (const line of lines) {
    if (!HIDDEN.test(nameOf(line)) && !('key' in line && line.size < FILE_BYTES_MIN)) yield line
  }
}

/** What begins with a dot, and temporary files of its clients and servers. */
const HIDDEN = /(?:^|\/)\.|~/

function* firstOf(lines: Iterable<OpenMeteoLine>, count: number): Generator<OpenMeteoLine, void> {
  let left = count
  for (const line of lines) {
    if (left-- === 0) return
    yield line
  }
}

/** One below the other, in chunks. */
function* joined(
  lines: Iterable<OpenMeteoLine>,
  elementOf: (line: OpenMeteoLine) => string | undefined,
): Generator<string, void> {
  let text = ''
  let isFirst = true
  for (const line of lines) {
    const element = elementOf(line)
    if (element === undefined) continue
    text += isFirst ? element : `\n${element}`
    isFirst = false
    if (text.length < CHUNK) continue
    yield text
    text = ''
  }
  yield text
}

function head(prefix: string, count: number, token: string | undefined): string {
  const next = token === undefined ? '' : `    <NextContinuationToken>${token}</NextContinuationToken>\n`
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
    <Name>openmeteo</Name>
    <Prefix>${escapeXml(prefix)}</Prefix>
    <KeyCount>${count}</KeyCount>
    <MaxKeys>1000</MaxKeys>
    <Delimiter>/</Delimiter>
    <IsTruncated>${token !== undefined}</IsTruncated>
${next}`
}

function folderElement(folder: string): string {
  return `<CommonPrefixes>\n<Prefix>${escapeXml(folder)}</Prefix>\n</CommonPrefixes>`
}

function fileElement({ key, size, modifiedMs }: Pick<FileEntry, 'key' | 'size' | 'modifiedMs'>): string {
  const seconds = new Date(Math.floor(modifiedMs / 1000) * 1000).toISOString()
  return `<Contents>
    <Key>${escapeXml(key)}</Key>
    <LastModified>${seconds}</LastModified>
    <Size>${size}</Size>
    <StorageClass>STANDARD</StorageClass>
</Contents>`
}

function nameOf(line: OpenMeteoLine): string {
  return 'key' in line ? line.key : line.commonPrefix
}

function bytesOf(line: OpenMeteoLine): number {
  return Buffer.byteLength('key' in line ? fileElement(line) : folderElement(line.commonPrefix)) + 1
}
