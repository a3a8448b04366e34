export interface DatasetDifference {
  /**
   * `soft`: a flag that reloads the dataset is enough. `hard`: what ERDDAP keeps of the data files must go too.
   * When only `active` changed, or the dataset is inactive on both sides, it is `soft`: any flag makes ERDDAP look.
   */
  readonly effect: 'none' | 'soft' | 'hard'
  /** In the user's words: `title`, `fileDir`, `variable time: units`, `active`. */
  readonly details: readonly string[]
}

/** What differs in meaning between two versions of one `<dataset>` element. Order of variables and attributes counts. */
export function compareDatasets(_before: Uint8Array, _after: Uint8Array): DatasetDifference {
  throw new Error('not built yet')
}
