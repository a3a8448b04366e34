import { atLeast, SINCE } from './version.ts'

/** Tags that may stand directly in `<erddapDatasets>`. */
const TOP = new Set(
  `angularDegreeUnits angularDegreeTrueUnits awsS3OutputBucketUrl cacheMinutes commonStandardNames
  convertInterpolateRequestCSVExample convertInterpolateDatasetIDVariableList convertToPublicSourceUrl
  decompressedCacheMaxGB decompressedCacheMaxMinutesOld drawLandMask emailDiagnosticsToErdData graphBackgroundColor
  ipAddressMaxRequests ipAddressMaxRequestsActive ipAddressUnlimited loadDatasetsMinMinutes loadDatasetsMaxMinutes
  logLevel nGridThreads nTableThreads palettes partialRequestMaxBytes partialRequestMaxCells requestBlacklist
  slowDownTroubleMillis subscriptionEmailBlacklist standardLicense standardContact standardDataLicenses
  standardDisclaimerOfEndorsement standardDisclaimerOfExternalLinks standardGeneralDisclaimer standardPrivacyPolicy
  startHeadHtml5 startBodyHtml5 theShortDescriptionHtml endBodyHtml5 unusualActivity user dataset`.split(/\s+/),
)

const TOP_SINCE: Readonly<Record<string, string>> = {
  updateMaxEvents: '2.21',
  unusualActivityFailPercent: '2.25',
  cacheClearMinutes: SINCE.cacheClearMinutes,
  displayAttribute: SINCE.displayInfo,
  displayInfo: SINCE.displayInfo,
}

const ANY = 'accessibleTo defaultDataQuery defaultGraphQuery fgdcFile graphsAccessibleTo iso19115File onChange'
const GRID = `${ANY} accessibleViaWMS dimensionValuesInMemory nThreads`
const TABLE = `${ANY} addVariablesWhere reloadEveryNMinutes sosOfferingPrefix`
const RELOAD = 'reloadEveryNMinutes updateEveryNMillis'
const OWN = 'addAttributes altitudeMetersPerSourceUnit dataVariable'
const FP_EQ = 'sourceNeedsExpandedFP_EQ'
const FILES = `accessibleViaFiles cacheFromUrl cachePartialPathRegex cacheSizeGB fileDir fileNameRegex fileTableInMemory
  metadataFrom pathRegex recursive`

/** What the `fromXml` of each class of ERDDAP 2.18 and 2.31 takes as children of `<dataset>`. */
const CHILDREN: Readonly<Record<string, string>> = {
  EDDGridAggregateExistingDimension: `${GRID} accessibleViaFiles dataset ensureAxisValuesAreEqual matchAxisNDigits
    sourceUrl sourceUrls`,
  EDDGridCopy: `${GRID} accessibleViaFiles checkSourceData dataset ensureAxisValuesAreEqual fileTableInMemory
    matchAxisNDigits onlySince reloadEveryNMinutes`,
  EDDGridFromDap: `${GRID} ${RELOAD} ${OWN} axisVariable sourceUrl`,
  EDDGridFromEDDTable: `${GRID} ${RELOAD} ${OWN} accessibleViaFiles axisVariable dataset gapThreshold`,
  EDDGridFromErddap: `${GRID} ${RELOAD} accessibleViaFiles redirect sourceUrl subscribeToRemoteErddapDataset`,
  EDDGridFromEtopo: 'accessibleViaFiles accessibleViaWMS dimensionValuesInMemory nThreads',
  EDDGridFromFiles: `${GRID} ${RELOAD} ${OWN} ${FILES} axisVariable ensureAxisValuesAreEqual matchAxisNDigits`,
  EDDGridLon0360: `${GRID} ${RELOAD} accessibleViaFiles dataset`,
  EDDGridLonPM180: `${GRID} ${RELOAD} accessibleViaFiles dataset`,
  EDDGridSideBySide: `${GRID} accessibleViaFiles dataset ensureAxisValuesAreEqual matchAxisNDigits`,
  EDDTableAggregateRows: `${TABLE} addAttributes dataset updateEveryNMillis`,
  EDDTableCopy: `${TABLE} ${FP_EQ} accessibleViaFiles checkSourceData dataset extractDestinationNames fileTableInMemory
    nThreads orderExtractBy standardizeWhat`,
  EDDTableFromAsciiService: `${TABLE} ${OWN} afterData beforeData1 beforeData2 beforeData3 beforeData4 beforeData5
    beforeData6 beforeData7 beforeData8 beforeData9 beforeData10 noData sourceUrl`,
  EDDTableFromCassandra: `${TABLE} ${FP_EQ} addAttributes clusterColumnSourceNames columnNameQuotes connectionProperty
    dataVariable indexColumnSourceNames keyspace maxRequestFraction partitionKeyCSV partitionKeySourceNames sourceUrl
    tableName`,
  EDDTableFromDapSequence: `${TABLE} ${OWN} ${FP_EQ} innerSequenceName outerSequenceName skipDapperSpacerRows
    sourceCanConstrainStringEQNE sourceCanConstrainStringGTLT sourceCanConstrainStringRegex sourceUrl`,
  EDDTableFromDatabase: `${TABLE} ${OWN} ${FP_EQ} catalogName columnNameQuotes connectionProperty dataSourceName
    driverName orderBy schemaName sourceCanDoDistinct sourceCanOrderBy sourceUrl tableName`,
  EDDTableFromEDDGrid: `${TABLE} accessibleViaFiles addAttributes dataset`,
  EDDTableFromErddap: `${TABLE} accessibleViaFiles redirect sourceUrl subscribeToRemoteErddapDataset`,
  EDDTableFromFileNames: `${ANY} ${OWN} addVariablesWhere fileDir fileNameRegex pathRegex recursive
    reloadEveryNMinutes`,
  EDDTableFromFiles: `${TABLE} ${OWN} ${FP_EQ} ${FILES} charset columnNameForExtract columnNamesRow columnSeparator
    extractRegex firstDataRow isLocal nDimensions nThreads postExtractRegex preExtractRegex removeMVRows
    skipHeaderToRegex skipLinesRegex sortFilesBySourceNames sortedColumnSourceName specialMode standardizeWhat
    updateEveryNMillis`,
  EDDTableFromOBIS: `${TABLE} ${FP_EQ} addAttributes altitudeSourceMaximum altitudeSourceMinimum latitudeSourceMaximum
    latitudeSourceMinimum longitudeSourceMaximum longitudeSourceMinimum sourceCode sourceUrl timeSourceMaximum
    timeSourceMinimum`,
  EDDTableFromSOS: `${TABLE} ${OWN} ${FP_EQ} altitudeSourceMaximum altitudeSourceMinimum altitudeSourceName bboxOffering
    bboxParameter latitudeSourceName longitudeSourceName observationOfferingIdRegex requestObservedPropertiesSeparately
    responseFormat sosServerType sosVersion sourceUrl stationIdSourceName timeSourceFormat timeSourceName`,
}

/** Types that another class reads. */
const READ_BY: Readonly<Record<string, readonly string[]>> = {
  EDDGridFromFiles: ['AudioFiles', 'MergeIRFiles', 'NcFiles', 'NcFilesUnpacked'].map((end) => `EDDGridFrom${end}`),
  EDDTableFromFiles: [
    'AsciiFiles',
    'AudioFiles',
    'AwsXmlFiles',
    'ColumnarAsciiFiles',
    'HttpGet',
    'HyraxFiles',
    'InvalidCRAFiles',
    'JsonlCSVFiles',
    'MultidimNcFiles',
    'NcCFFiles',
    'NcFiles',
    'NccsvFiles',
    'ParquetFiles',
    'ThreddsFiles',
    'WFSFiles',
  ].map((end) => `EDDTableFrom${end}`),
  EDDTableFromAsciiService: ['EDDTableFromAsciiServiceNOS'],
}

const READER = new Map(Object.entries(READ_BY).flatMap(([reader, types]) => types.map((type) => [type, reader])))
const CHILD_SETS = new Map(Object.entries(CHILDREN).map(([name, tags]) => [name, new Set(tags.split(/\s+/))]))
/** Base classes and readers that are no dataset type themselves. */
const NO_TYPE = new Set(['EDDGridFromFiles', 'EDDTableFromFiles', 'EDDTableFromAsciiService'])

export function isTopTag(tag: string, version: string): boolean {
  const since = TOP_SINCE[tag]
  return TOP.has(tag) || (since !== undefined && atLeast(version, since))
}

/** The class that reads a type, which is the name in ERDDAP's log; undefined when there is no such type. */
export function readerOf(type: string, version: string): string | undefined {
  if (NO_TYPE.has(type) || (type === 'EDDTableFromParquetFiles' && !atLeast(version, '2.25'))) return undefined
  return READER.get(type) ?? (CHILD_SETS.has(type) ? type : undefined)
}

export function isChildTag(reader: string, tag: string, version: string): boolean {
  if (reader === 'EDDGridLonPM180' && tag === 'maxSourceLon') return atLeast(version, '2.29')
  return CHILD_SETS.get(reader)?.has(tag) ?? false
}

/** Whether datasets of this reader look for data files of their own. */
export function readsFiles(reader: string): boolean {
  return CHILD_SETS.get(reader)?.has('fileDir') ?? false
}
