/** A kind of object that a file of the data directory holds. */
export type Kind =
  | 'workspace'
  | 'namespace'
  | 'style'
  | 'dataStore'
  | 'coverageStore'
  | 'wmsStore'
  | 'wmtsStore'
  | 'featureType'
  | 'coverage'
  | 'wmsLayer'
  | 'wmtsLayer'
  | 'layer'
  | 'layerGroup'
  | 'settings'
  | 'service'

export const STORES = ['dataStore', 'coverageStore', 'wmsStore', 'wmtsStore'] as const
export type StoreKind = (typeof STORES)[number]

export const RESOURCES = ['featureType', 'coverage', 'wmsLayer', 'wmtsLayer'] as const
export type ResourceKind = (typeof RESOURCES)[number]

/** How the Java class of a kind looks in XML. */
export interface Shape {
  /** Order of its fields; others follow in the order they came in. */
  readonly fields: readonly string[]
  /** Fields of a primitive type: there in every object, whatever file or payload said. */
  readonly primitives: Readonly<Record<string, string>>
  /** Fields that the REST update fills in with what their getters answer. */
  readonly onUpdate: Readonly<Record<string, string>>
  /** Whether dateCreated and dateModified are kept. */
  readonly dated: boolean
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

const STORE_FIELDS = words(`id name description type enabled workspace connectionParameters metadata __default
  dateCreated dateModified disableOnConnFailure url capabilitiesURL user password maxConnections readTimeout
  connectTimeout useConnectionPooling`)

const RESOURCE_FIELDS = words(`id name nativeName namespace title description abstract keywords metadataLinks dataLinks
  nativeCRS srs nativeBoundingBox latLonBoundingBox projectionPolicy enabled advertised metadata store
  serviceConfiguration disabledServices simpleConversionEnabled cqlFilter maxFeatures numDecimals padWithZeros
  forcedDecimal nativeFormat grid supportedFormats interpolationMethods defaultInterpolationMethod dimensions requestSRS
  responseSRS attributes overridingServiceSRS skipNumberMatched circularArcPresent encodeMeasures nativeCoverageName
  parameters`)

const STORE: Shape = {
  fields: STORE_FIELDS,
  primitives: { enabled: 'true', __default: 'false', disableOnConnFailure: 'false' },
  onUpdate: {},
  dated: true,
}

const CASCADED: Shape = {
  fields: RESOURCE_FIELDS,
  primitives: { enabled: 'true', serviceConfiguration: 'false' },
  onUpdate: { advertised: 'true', simpleConversionEnabled: 'false' },
  dated: false,
}

export const SHAPES: Readonly<Record<Exclude<Kind, 'service'>, Shape>> = {
  workspace: {
    fields: words('id name isolated metadata dateCreated dateModified'),
    primitives: { isolated: 'false' },
    onUpdate: {},
    dated: true,
  },
  namespace: {
    fields: words('id prefix uri metadata isolated'),
    primitives: { isolated: 'false' },
    onUpdate: {},
    dated: false,
  },
  style: {
    fields: words('id name workspace format languageVersion filename legend metadata dateCreated dateModified'),
    primitives: { format: 'sld' },
    onUpdate: {},
    dated: true,
  },
  dataStore: STORE,
  coverageStore: STORE,
  wmsStore: STORE,
  wmtsStore: STORE,
  featureType: {
    fields: RESOURCE_FIELDS,
    primitives: {
      serviceConfiguration: 'false',
      maxFeatures: '0',
      numDecimals: '0',
      padWithZeros: 'false',
      forcedDecimal: 'false',
      overridingServiceSRS: 'false',
      skipNumberMatched: 'false',
      circularArcPresent: 'false',
    },
    onUpdate: { advertised: 'true', simpleConversionEnabled: 'false', encodeMeasures: 'false' },
    dated: false,
  },
  coverage: {
    fields: RESOURCE_FIELDS,
    primitives: { serviceConfiguration: 'false' },
    onUpdate: { advertised: 'true', simpleConversionEnabled: 'false' },
    dated: false,
  },
  wmsLayer: CASCADED,
  wmtsLayer: CASCADED,
  layer: {
    fields: words(`name id path type defaultStyle styles resource legend queryable opaque enabled metadata attribution
      defaultWMSInterpolationMethod dateCreated dateModified`),
    primitives: {},
    onUpdate: { queryable: 'true', opaque: 'false' },
    dated: true,
  },
  layerGroup: {
    fields: words(`id name mode queryDisabled title abstractTxt workspace rootLayer rootLayerStyle publishables styles
      metadataLinks bounds metadata attribution keywords enabled advertised layerGroupStyles dateCreated dateModified`),
    primitives: {},
    onUpdate: {},
    dated: true,
  },
  settings: {
    fields: words(`id workspace title contact charset proxyBaseUrl numDecimals onlineResource schemaBaseUrl verbose
      verboseExceptions metadata localWorkspaceIncludesPrefix showCreatedTimeColumnsInAdminList
      showModifiedTimeColumnsInAdminList defaultLocale useHeadersProxyURL`),
    primitives: {
      numDecimals: '4',
      verbose: 'false',
      verboseExceptions: 'false',
      localWorkspaceIncludesPrefix: 'false',
      showCreatedTimeColumnsInAdminList: 'false',
      showModifiedTimeColumnsInAdminList: 'false',
    },
    onUpdate: {},
    dated: false,
  },
}
