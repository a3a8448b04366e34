import type { Shape } from './kinds.ts'

/** Services that this GeoServer's core has settings of. */
export const SERVICES = ['wms', 'wfs', 'wcs', 'wmts'] as const
export type Service = (typeof SERVICES)[number]

const COMMON = `id workspace enabled name title internationalTitle maintainer abstrct internationalAbstract accessConstraints fees versions keywords metadataLink
  citeCompliant onlineResource schemaBaseURL verbose metadata`

function shape(own: string, primitives: Readonly<Record<string, string>>): Shape {
  return {
    fields: `${COMMON} ${own}`.trim().split(/\s+/),
    primitives: { enabled: 'true', citeCompliant: 'false', verbose: 'false', ...primitives },
    onUpdate: {},
    dated: false,
  }
}

export const SERVICE_SHAPES: Readonly<Record<Service, Shape>> = {
  wms: shape(
    `bboxForEachCRS watermark interpolation getFeatureInfoMimeTypeCheckingEnabled getMapMimeTypeCheckingEnabled
    dynamicStylingDisabled featuresReprojectionDisabled maxBuffer maxRequestMemory maxRenderingTime maxRenderingErrors
    rootLayerTitle rootLayerAbstract internationalRootLayerTitle internationalRootLayerAbstract maxRequestedDimensionValues cacheConfiguration remoteStyleMaxRequestTime
    remoteStyleTimeout defaultGroupStyleEnabled transformFeatureInfoDisabled autoEscapeTemplateValues`,
    {
      getFeatureInfoMimeTypeCheckingEnabled: 'false',
      getMapMimeTypeCheckingEnabled: 'false',
      dynamicStylingDisabled: 'false',
      featuresReprojectionDisabled: 'false',
      maxBuffer: '0',
      maxRequestMemory: '0',
      maxRenderingTime: '0',
      maxRenderingErrors: '0',
      transformFeatureInfoDisabled: 'false',
      autoEscapeTemplateValues: 'false',
    },
  ),
  wfs: shape(
    `gml serviceLevel maxFeatures featureBounding canonicalSchemaLocation encodeFeatureMember hitsIgnoreMaxFeatures
    includeWFSRequestDumpFile allowGlobalQueries simpleConversionEnabled getFeatureOutputTypeCheckingEnabled`,
    {
      maxFeatures: '1000000',
      featureBounding: 'false',
      canonicalSchemaLocation: 'false',
      encodeFeatureMember: 'false',
      hitsIgnoreMaxFeatures: 'false',
      includeWFSRequestDumpFile: 'false',
      getFeatureOutputTypeCheckingEnabled: 'false',
    },
  ),
  wcs: shape('gmlPrefixing latLon maxInputMemory maxOutputMemory', {
    gmlPrefixing: 'false',
    latLon: 'false',
    maxInputMemory: '0',
    maxOutputMemory: '0',
  }),
  wmts: shape('', {}),
}
