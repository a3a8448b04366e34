import type { ObjectKind } from './model.ts'
import type { Element } from './xml.ts'

/**
 * Whether a field says no more than if it were not there. Some versions of GeoServer write it and others do not, and so
 * do one and the same before and after a change over REST. `path` leads to the structure it stands in, '' for the root.
 *
 * Source: the initial values of GeoServer's `…InfoImpl` classes, and files that GeoServer 2.26.2 wrote beside those of
 * older versions. An empty element is what a text, list or map becomes that is taken away over REST.
 */
export function isDefault(kind: ObjectKind, path: string, { name, children, text }: Element): boolean {
  const inner = path + name
  if (children.length > 0) {
    return STRUCTURES.has(inner) && children.every((child) => isDefault(kind, `${inner}/`, child))
  }
  return text === '' || defaultOf(kind, inner) === text
}

/** Elements that hold fields of the object themselves, and are no list, by their path below the root. */
export const STRUCTURES: ReadonlySet<string> = new Set([
  'settings',
  'contact',
  'settings/contact',
  'attribution',
  'languageVersion',
])

/** The value that a field has where it is not there, by its path; undefined where that is not known, or nothing. */
export function defaultOf(kind: ObjectKind, path: string): string | undefined {
  const group = GROUPS[kind]
  return FILLED_IN[kind]?.[path] ?? (group === undefined ? undefined : DEFAULTS.get(`${group} ${path}`))
}

/** What GeoServer writes of its own accord into an object that is new over REST, or saved for the first time, and never takes back. */
const FILLED_IN: Readonly<Partial<Record<ObjectKind, Readonly<Record<string, string>>>>> = {
  featuretype: { projectionPolicy: 'FORCE_DECLARED' },
  coverage: { projectionPolicy: 'REPROJECT_TO_DECLARED' },
  logging: { stdOutLogging: 'false' },
  style: { format: 'sld', 'languageVersion/version': '1.0.0' },
}

type Group = 'workspace' | 'store' | 'resource' | 'layer' | 'service' | 'settings'

const GROUPS: Readonly<Partial<Record<ObjectKind, Group>>> = {
  workspace: 'workspace',
  namespace: 'workspace',
  datastore: 'store',
  coveragestore: 'store',
  wmsstore: 'store',
  wmtsstore: 'store',
  featuretype: 'resource',
  coverage: 'resource',
  wmslayer: 'resource',
  wmtslayer: 'resource',
  layer: 'layer',
  layergroup: 'layer',
  service: 'service',
  'workspace-settings': 'settings',
  global: 'settings',
}

/** Group → value → fields with that value when they are absent. */
const TABLE: Readonly<Record<Group, Readonly<Record<string, string>>>> = {
  workspace: { false: 'isolated' },
  store: { false: '__default disableOnConnFailure' },
  resource: {
    true: 'advertised',
    false:
      'serviceConfiguration simpleConversionEnabled encodeMeasures padWithZeros forcedDecimal overridingServiceSRS ' +
      'skipNumberMatched circularArcPresent',
    '0': 'maxFeatures numDecimals',
  },
  layer: {
    true: 'advertised enabled queryable',
    false: 'opaque queryDisabled',
    '/': 'path',
    SINGLE: 'mode',
    '0': 'attribution/logoWidth attribution/logoHeight',
  },
  service: {
    false:
      'verbose citeCompliant getFeatureInfoMimeTypeCheckingEnabled getMapMimeTypeCheckingEnabled ' +
      'dynamicStylingDisabled featuresReprojectionDisabled transformFeatureInfoDisabled autoEscapeTemplateValues ' +
      'simpleConversionEnabled canonicalSchemaLocation encodeFeatureMember hitsIgnoreMaxFeatures getFeatureOutputTypeCheckingEnabled',
    '0': 'maxBuffer maxRequestMemory maxRenderingTime maxRenderingErrors',
  },
  settings: {
    false: fieldsOfSettings(
      'verbose verboseExceptions localWorkspaceIncludesPrefix showCreatedTimeColumnsInAdminList ' +
        'showModifiedTimeColumnsInAdminList useHeadersProxyURL showModifiedUserInAdminList',
    ),
  },
}

/** They stand in the root of a workspace's settings and under `<settings>` of the global ones. */
function fieldsOfSettings(names: string): string {
  return names.replace(/(\S+)/g, '$1 settings/$1')
}

const DEFAULTS: ReadonlyMap<string, string> = new Map(
  Object.entries(TABLE).flatMap(([group, values]) =>
    Object.entries(values).flatMap(([value, names]) =>
      names.split(' ').map((name): [string, string] => [`${group} ${name}`, value]),
    ),
  ),
)
