/**
 * What ERDDAP accepts where in datasets.xml, and since which version. An unknown tag makes it stop reading the file.
 * Source: the `fromXml` methods of ERDDAP's `EDD…` classes, `EDD.getAttributesFromXml`, `LoadDatasets` and, for MQTT,
 * `EDDTableFromFilesHandler`, read for every release from 2.02 to 2.31. What 2.02 knew has no version here.
 */
export interface Rule {
  /** Tags that may stand inside; absent for a dataset, whose type decides. */
  readonly inside?: Rules
  readonly since?: string
}

export type Rules = ReadonlyMap<string, Rule>

const NOTHING: Rules = new Map()
const ADD_ATTRIBUTES: Rule = { inside: new Map([['att', { inside: NOTHING }]]) }
const AXIS_VARIABLE = rules('sourceName destinationName values addAttributes')
const DATA_VARIABLE = rules('sourceName destinationName dataType addAttributes')

/** Reads `name` and `name@version`, separated by spaces. */
function rules(...lists: readonly string[]): Rules {
  const found = new Map<string, Rule>()
  for (const entry of lists.join(' ').split(/\s+/)) {
    const [name = '', since] = entry.split('@')
    found.set(name, { ...shape(name), ...(since !== undefined && { since }) })
  }
  return found
}

function shape(name: string): Rule {
  if (name === 'dataset') return {}
  if (name === 'addAttributes') return ADD_ATTRIBUTES
  if (name === 'axisVariable') return { inside: AXIS_VARIABLE }
  if (name === 'dataVariable') return { inside: DATA_VARIABLE }
  return { inside: NOTHING }
}

const ANY = 'accessibleTo graphsAccessibleTo onChange fgdcFile iso19115File defaultDataQuery defaultGraphQuery'
const RELOAD = 'reloadEveryNMinutes'
const UPDATE = `${RELOAD} updateEveryNMillis`
const GRID = `${ANY} accessibleViaWMS nThreads dimensionValuesInMemory`
const TABLE = `${ANY} ${RELOAD} sosOfferingPrefix addVariablesWhere@2.10`
const DEFINED = 'addAttributes dataVariable'
const DEFINED_GRID = `${DEFINED} axisVariable`
const AXES = 'matchAxisNDigits ensureAxisValuesAreEqual'
const VIA_FILES = 'accessibleViaFiles@2.10'
const FILES = `fileDir fileNameRegex recursive pathRegex metadataFrom fileTableInMemory accessibleViaFiles
  cacheFromUrl cacheSizeGB cachePartialPathRegex`
const EXACT_FLOATS = 'sourceNeedsExpandedFP_EQ'

const GRID_FILES = rules(GRID, UPDATE, DEFINED_GRID, AXES, FILES)
const TABLE_FILE_TAGS = `${TABLE} ${UPDATE} ${DEFINED} ${FILES} ${EXACT_FLOATS} nThreads charset columnNamesRow
  columnSeparator firstDataRow columnNameForExtract preExtractRegex postExtractRegex extractRegex
  sortedColumnSourceName sortFilesBySourceNames removeMVRows standardizeWhat specialMode nDimensions isLocal
  skipHeaderToRegex@2.10 skipLinesRegex@2.10`
const TABLE_FILES = rules(TABLE_FILE_TAGS)

const TABLE_FILE_TYPES = `EDDTableFromAsciiFiles EDDTableFromAudioFiles EDDTableFromAwsXmlFiles
  EDDTableFromColumnarAsciiFiles EDDTableFromHttpGet EDDTableFromHyraxFiles EDDTableFromInvalidCRAFiles
  EDDTableFromJsonlCSVFiles EDDTableFromMultidimNcFiles EDDTableFromNcCFFiles EDDTableFromNcFiles
  EDDTableFromNccsvFiles EDDTableFromThreddsFiles EDDTableFromWFSFiles`
const GRID_FILE_TYPES = 'EDDGridFromAudioFiles EDDGridFromMergeIRFiles EDDGridFromNcFiles EDDGridFromNcFilesUnpacked'

const each = (types: string, inside: Rules): [string, Rule][] => types.split(/\s+/).map((type) => [type, { inside }])

/** Every dataset type with the tags it takes. */
export const DATASET_TYPES: Rules = new Map<string, Rule>([
  ...each(GRID_FILE_TYPES, GRID_FILES),
  ...each(TABLE_FILE_TYPES, TABLE_FILES),
  ['EDDTableFromParquetFiles', { inside: TABLE_FILES, since: '2.25' }],
  [
    'EDDTableFromMqtt',
    {
      inside: rules(
        TABLE_FILE_TAGS,
        `serverHost serverPort clientId username password topics useSsl sessionExpiryInterval
        connectionTimeout automaticReconnect`,
      ),
      since: '2.29',
    },
  ],
  ['EDDGridAggregateExistingDimension', { inside: rules(GRID, VIA_FILES, AXES, 'dataset sourceUrl sourceUrls') }],
  [
    'EDDGridCopy',
    { inside: rules(GRID, RELOAD, AXES, 'accessibleViaFiles checkSourceData dataset fileTableInMemory onlySince') },
  ],
  ['EDDGridFromDap', { inside: rules(GRID, UPDATE, DEFINED_GRID, 'sourceUrl') }],
  ['EDDGridFromEDDTable', { inside: rules(GRID, UPDATE, DEFINED_GRID, VIA_FILES, 'dataset gapThreshold') }],
  [
    'EDDGridFromErddap',
    { inside: rules(GRID, UPDATE, VIA_FILES, 'sourceUrl redirect subscribeToRemoteErddapDataset') },
  ],
  ['EDDGridFromEtopo', { inside: rules(VIA_FILES, 'accessibleViaWMS nThreads dimensionValuesInMemory') }],
  ['EDDGridLon0360', { inside: rules(GRID, UPDATE, VIA_FILES, 'dataset'), since: '2.14' }],
  ['EDDGridLonPM180', { inside: rules(GRID, UPDATE, VIA_FILES, 'dataset maxSourceLon@2.29') }],
  ['EDDGridSideBySide', { inside: rules(GRID, VIA_FILES, AXES, 'dataset') }],
  ['EDDTableAggregateRows', { inside: rules(TABLE, UPDATE, 'addAttributes dataset') }],
  [
    'EDDTableCopy',
    {
      inside: rules(
        TABLE,
        EXACT_FLOATS,
        'accessibleViaFiles checkSourceData dataset extractDestinationNames fileTableInMemory nThreads orderExtractBy',
        'standardizeWhat',
      ),
    },
  ],
  [
    'EDDTableFromAsciiServiceNOS',
    {
      inside: rules(
        TABLE,
        DEFINED,
        'sourceUrl noData afterData beforeData1 beforeData2 beforeData3 beforeData4 beforeData5 beforeData6',
        'beforeData7 beforeData8 beforeData9 beforeData10',
      ),
    },
  ],
  [
    'EDDTableFromCassandra',
    {
      inside: rules(
        TABLE,
        DEFINED,
        EXACT_FLOATS,
        'sourceUrl connectionProperty keyspace tableName partitionKeySourceNames partitionKeyCSV columnNameQuotes',
        'clusterColumnSourceNames indexColumnSourceNames maxRequestFraction',
      ),
    },
  ],
  [
    'EDDTableFromDapSequence',
    {
      inside: rules(
        TABLE,
        DEFINED,
        EXACT_FLOATS,
        'sourceUrl outerSequenceName innerSequenceName skipDapperSpacerRows sourceCanConstrainStringEQNE',
        'sourceCanConstrainStringGTLT sourceCanConstrainStringRegex',
      ),
    },
  ],
  [
    'EDDTableFromDatabase',
    {
      inside: rules(
        TABLE,
        DEFINED,
        EXACT_FLOATS,
        'sourceUrl driverName connectionProperty dataSourceName catalogName schemaName tableName columnNameQuotes',
        'orderBy sourceCanOrderBy sourceCanDoDistinct',
      ),
    },
  ],
  ['EDDTableFromEDDGrid', { inside: rules(TABLE, VIA_FILES, 'addAttributes dataset') }],
  ['EDDTableFromErddap', { inside: rules(TABLE, VIA_FILES, 'sourceUrl redirect subscribeToRemoteErddapDataset') }],
  [
    'EDDTableFromFileNames',
    { inside: rules(ANY, RELOAD, DEFINED, 'addVariablesWhere@2.10 fileDir fileNameRegex recursive pathRegex') },
  ],
  [
    'EDDTableFromOBIS',
    {
      inside: rules(
        TABLE,
        EXACT_FLOATS,
        'addAttributes sourceUrl sourceCode longitudeSourceMinimum longitudeSourceMaximum latitudeSourceMinimum',
        'latitudeSourceMaximum altitudeSourceMinimum altitudeSourceMaximum timeSourceMinimum timeSourceMaximum',
      ),
    },
  ],
  [
    'EDDTableFromSOS',
    {
      inside: rules(
        TABLE,
        DEFINED,
        EXACT_FLOATS,
        'sourceUrl sosVersion sosServerType responseFormat observationOfferingIdRegex bboxOffering bboxParameter',
        'requestObservedPropertiesSeparately stationIdSourceName longitudeSourceName latitudeSourceName',
        'altitudeSourceName altitudeSourceMinimum altitudeSourceMaximum altitudeMetersPerSourceUnit timeSourceName',
        'timeSourceFormat',
      ),
    },
  ],
])

/** Tags directly under `<erddapDatasets>`. */
export const TOP_TAGS: Rules = rules(
  'dataset user convertToPublicSourceUrl',
  'angularDegreeUnits angularDegreeTrueUnits cacheMinutes commonStandardNames decompressedCacheMaxGB',
  'decompressedCacheMaxMinutesOld drawLandMask graphBackgroundColor loadDatasetsMinMinutes loadDatasetsMaxMinutes',
  'logLevel nGridThreads nTableThreads partialRequestMaxBytes partialRequestMaxCells requestBlacklist',
  'slowDownTroubleMillis subscriptionEmailBlacklist unusualActivity standardLicense standardContact',
  'standardDataLicenses standardDisclaimerOfEndorsement standardDisclaimerOfExternalLinks standardGeneralDisclaimer',
  'standardPrivacyPolicy startHeadHtml5 startBodyHtml5 theShortDescriptionHtml endBodyHtml5',
  'convertInterpolateRequestCSVExample@2.10 convertInterpolateDatasetIDVariableList@2.10',
  'emailDiagnosticsToErdData@2.11',
  'ipAddressMaxRequests@2.12 ipAddressMaxRequestsActive@2.12 ipAddressUnlimited@2.12 palettes@2.12',
  'awsS3OutputBucketUrl@2.17 updateMaxEvents@2.21 unusualActivityFailPercent@2.25 cacheClearMinutes@2.27',
  'displayInfo@2.28 displayAttribute@2.28',
)
