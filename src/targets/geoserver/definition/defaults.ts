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
  if (children.length > 0) return name === 'attribution' && children.every(isUnsized)
  if (text === '') return true
  return DEFAULTS.get(`${groupOf(kind)} ${path}${name}`) === text || DEFAULTS.get(`* ${path}${name}`) === text
}

/** The value that a field has where it is not there; undefined where that is not known, or nothing. */
export function defaultOf(kind: ObjectKind, name: string): string | undefined {
  return DEFAULTS.get(`${groupOf(kind)} ${name}`) ?? DEFAULTS.get(`* ${name}`)
}

function isUnsized({ name, children, text }: Element): boolean {
  return children.length === 0 && (text === '' || ((name === 'logoWidth' || name === 'logoHeight') && text === '0'))
}

type Group = 'workspace' | 'store' | 'resource' | 'layer' | 'service' | 'settings' | '*'

function groupOf(kind: ObjectKind): Group {
  return GROUPS[kind] ?? '*'
}

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
  layer: { true: 'advertised enabled queryable', false: 'opaque queryDisabled', '/': 'path', SINGLE: 'mode' },
  service: {
    false:
      'verbose citeCompliant getFeatureInfoMimeTypeCheckingEnabled getMapMimeTypeCheckingEnabled ' +
      'dynamicStylingDisabled featuresReprojectionDisabled transformFeatureInfoDisabled autoEscapeTemplateValues ' +
      'simpleConversionEnabled canonicalSchemaLocation encodeFeatureMember hitsIgnoreMaxFeatures',
    '0': 'maxBuffer maxRequestMemory maxRenderingTime maxRenderingErrors',
  },
  settings: {
    false: fieldsOfSettings(
      'verbose verboseExceptions localWorkspaceIncludesPrefix showCreatedTimeColumnsInAdminList ' +
        'showModifiedTimeColumnsInAdminList useHeadersProxyURL showModifiedUserInAdminList',
    ),
  },
  '*': {},
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
