export interface SplitDataset {
  readonly id: string
  readonly type: string
  readonly active: boolean
  readonly digest: string
  readonly source: Uint8Array
  readonly line: number
}

export interface SplitFile {
  readonly datasets: readonly SplitDataset[]
  readonly topDigest: string
}

/**
 * The top-level datasets of an existing datasets.xml, as ERDDAP would see them. Tolerant of what ERDDAP accepts.
 * Throws `CHECK_FAILED` with the place when ERDDAP could not read the file either.
 */
export function splitDatasets(_xml: Uint8Array): SplitFile {
  throw new Error('not built yet')
}
