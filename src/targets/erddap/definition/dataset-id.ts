/**
 * Ids that ERDDAP takes (String2.isFileNameSafe is wider) and that are safe as the name of a file and in a URL. What a
 * check lets through must be one that a flag can be set for: one id that cannot would hold up all others with it.
 */
export const DATASET_ID = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,254}$/
