/**
 * The order of all operations on a tree, the same on every node: the root gives each operation its version. A root that lost what it
 * knew, or another that took over, has a greater epoch, and so is newer than all before it.
 */
export interface Version {
  /** Seconds since 1970 when the ledger of a lone root was made; of roots of a cluster a number that grows with each change of leader. */
  readonly epoch: number
  /** From 1, without gaps as far as the root can tell. */
  readonly sequence: number
}

/** What was done to one file. */
export type Operation = PutOperation | GoneOperation

export interface PutOperation {
  readonly key: string
  readonly version: Version
  /** Bytes. */
  readonly size: number
  /** Lower-case hex. Undefined of a file that was found in the folder and not read yet. */
  readonly sha256?: string | undefined
  readonly modifiedMs: number
  /** Without quotes, as the root answers it: the same on every node. */
  readonly etag: string
  readonly md5?: string | undefined
  /** As in `FileFacts`: repeated by every node. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface GoneOperation {
  readonly key: string
  readonly version: Version
  readonly gone: true
}

/** Of what comes from outside. */
export function isVersion(value: unknown): value is Version {
  const { epoch, sequence } = (value ?? {}) as Version
  return Number.isSafeInteger(epoch) && epoch >= 0 && Number.isSafeInteger(sequence) && sequence >= 1
}

export function compareVersions(a: Version, b: Version): number {
  return a.epoch - b.epoch || a.sequence - b.sequence
}

/** `1763750000.42` */
export function versionText({ epoch, sequence }: Version): string {
  return `${epoch}.${sequence}`
}

export function isGone(operation: Operation): operation is GoneOperation {
  return 'gone' in operation
}
