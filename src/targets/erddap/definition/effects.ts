/**
 * Tags that ERDDAP reads anew at every load and that do not touch what it keeps about the data files. Every other tag is
 * taken to need a hard reload.
 */
const SOFT_SETTINGS: ReadonlySet<string> = new Set([
  'accessibleTo',
  'graphsAccessibleTo',
  'accessibleViaFiles',
  'accessibleViaWMS',
  'addVariablesWhere',
  'defaultDataQuery',
  'defaultGraphQuery',
  'dimensionValuesInMemory',
  'fgdcFile',
  'fileTableInMemory',
  'iso19115File',
  'nThreads',
  'onChange',
  'redirect',
  'reloadEveryNMinutes',
  'sosOfferingPrefix',
  'subscribeToRemoteErddapDataset',
  'updateEveryNMillis',
])

/**
 * Attributes that change how ERDDAP reads data, and with it the minima and maxima that it keeps for every file (source:
 * EDDTableFromFiles' file table). All others are only served.
 */
const HARD_ATTRIBUTES: ReadonlySet<string> = new Set([
  'missing_value',
  '_FillValue',
  'scale_factor',
  'add_offset',
  '_Unsigned',
  '_Encoding',
  'charset',
  'time_zone',
])

export function isSoftSetting(name: string): boolean {
  return SOFT_SETTINGS.has(name)
}

export function isSoftAttribute(name: string): boolean {
  return !HARD_ATTRIBUTES.has(name)
}

/** Units that say how times are written in the data, such as `days since 1970-01-01` and `yyyy-MM-dd'T'HH:mm:ss`. */
export function isTimeUnits(units: string): boolean {
  return /\bsince\b/i.test(units) || /yy/i.test(units)
}
