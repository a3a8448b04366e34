/** What differs between versions of ERDDAP, each with the first version that has it. */
export const SINCE = {
  /** A major load unloads datasets that are no longer in datasets.xml; before, it only lists them. */
  removesOrphans: '2.19',
  /** status.html names the dataset that is loading. */
  saysWhatLoads: '2.23',
  /** /metrics, reasons for failing on status.html, and a parse that breaks off counts as a finished one. */
  splitParser: '2.25',
  /** `<cacheClearMinutes>` */
  cacheClearMinutes: '2.27',
  /** `<displayAttribute>` and `<displayInfo>`, for the default parser */
  displayInfo: '2.28',
  /** datasets.xml is decoded as UTF-8, whatever it declares, before it is parsed. */
  envParsing: '2.29',
} as const

/** Whether version `2.31` is `2.19` or later. Compares the parts as numbers: 2.9 is before 2.18. */
export function atLeast(version: string, first: string): boolean {
  const [a, b] = [version, first].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0))
  for (let index = 0; index < Math.max(a?.length ?? 0, b?.length ?? 0); index += 1) {
    const difference = (a?.[index] ?? 0) - (b?.[index] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}
