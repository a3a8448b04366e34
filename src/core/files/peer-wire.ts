/**
 * What two Flotilla nodes say to each other below `PEER_PATH`, on the same port and with the same credentials as S3:
 *
 * - `GET trees`: JSON `PeerTrees`.
 * - `GET trees/<tree>/changes?since=&prefix=…&wait=ms`, or `POST` with the same as JSON where the URL would be too long: lines of JSON. First
 *   `{"reset":…}`, then a line for each change (`changeLine`), last `{"cursor":"…"}`. Without that line the answer is not whole.
 *   Empty lines say that the other side lives.
 * - `POST trees/<tree>/batch` with JSON `[[key, etag, size], …]`: frames in this order, then one that ends them.
 * - `GET trees/<tree>/blocks?key=&etag=&within=0,3-5`: bytes of hashes, `BLOCKS_SHA256_HEADER` beside them; 204 where there are none.
 * - `GET trees/<tree>/stat?key=`: JSON `PeerStat`.
 *
 * Errors are JSON as of the hub's API, with the codes of `ERRORS`. Every answer has `PEER_HEADER`.
 */
import type { FileEntry } from './entry.ts'
import { impossible, impossibleKey } from './impossible.ts'
import { BATCH_LIMITS, type FileChange } from './peer.ts'

export const PEER_PATH = '/.flotilla/v1/'
export const PEER_HEADER = 'x-flotilla-files'
export const PEER_VERSION = '1'
export const BLOCKS_SHA256_HEADER = 'x-flotilla-sha256'

/** The longest a request may ask to wait. */
export const WAIT_MS_MAX = 60_000
/** How often a waiting answer says that it lives. */
export const BEAT_MS = 10_000
/** The longest URL that is sent; `changes` with more prefixes is a POST. */
export const PEER_URL_CHARS = 4000
export const CURSOR_CHARS_MAX = 200
/** The longest line of `changes`: a key of control characters is six times as long in JSON. */
export const CHANGE_LINE_BYTES_MAX = 8 * 1024

export interface PeerTrees {
  /** What the credentials may read. */
  readonly trees: readonly string[]
}

export interface PeerStat {
  readonly entry: FileEntry
  /** Whether hashes of its blocks are known: a changed copy can be brought up to date by its blocks. */
  readonly hasBlocks: boolean
}

/** One item of what a batch is asked for. */
export type BatchWish = readonly [key: string, etag: string, size: number]

/** Frames have a header of eight bytes: kind, three zeros, and a little-endian number. */
export const FRAME = {
  headerBytes: 8,
  hashBytes: 32,
  /** There are no bytes of this very content. The number is that of the bytes that follow and say nothing: so the length is known before. */
  absent: 0,
  /** The number is that of the bytes that follow. */
  bytes: 1,
  /** Likewise, with the SHA-256 of the content before them. */
  hashedBytes: 2,
  /** The number is that of the frames before it. Nothing follows. */
  end: 255,
} as const

/** Before the bytes of a file in the answer to a batch. */
export const BATCH_HEAD_BYTES = FRAME.headerBytes + FRAME.hashBytes

/** Of a file in the answer to a batch, as long whether there are bytes of it or not; of one that is too large for a batch only a head. */
export function batchFrameBytes(size: number): number {
  return BATCH_HEAD_BYTES + (size > BATCH_LIMITS.fileBytes ? 0 : size)
}

/** Of the whole answer to a batch of files of these sizes. */
export function batchBytes(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + batchFrameBytes(size), FRAME.headerBytes)
}

/** With the newline that ends it. */
export function changeLine(change: FileChange): string {
  const key = JSON.stringify(change.key)
  if ('gone' in change) return `{"k":${key},"x":1}\n`
  const { size, modifiedMs, etag, sha256, md5 } = change
  const hashes = `${sha256 === undefined ? '' : `,"h":"${sha256}"`}${md5 === undefined ? '' : `,"d":"${md5}"`}`
  return `{"k":${key},"s":${size},"m":${modifiedMs},"e":${JSON.stringify(etag)}${hashes}}\n`
}

interface ChangeFields {
  readonly k: string
  readonly x?: 1
  readonly s: number
  readonly m: number
  readonly e: string
  readonly h?: string
  readonly d?: string
}

/** What a line says, parsed as JSON; a sentence where it cannot be. */
export function changeOf(line: unknown): FileChange | string {
  const { k: key, x: gone, s: size, m: modifiedMs, e: etag, h: sha256, d: md5 } = line as ChangeFields
  if (gone === 1) return impossibleKey(key) ?? { key, gone: true }
  const entry = { key, size, modifiedMs, etag, sha256, md5 }
  return impossible(entry) ?? entry
}
