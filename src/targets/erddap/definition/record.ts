/** Roots of metadata records that often come without a namespace: FGDC's and ISO 19115's. */
const RECORD_ROOTS: ReadonlySet<string> = new Set(['metadata', 'MD_Metadata', 'MI_Metadata', 'DS_Series', 'netcdf'])

/** What may stand before the root: white space, comments, instructions, and a DOCTYPE with its brackets. */
const BEFORE_ROOT = /\s+|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!DOCTYPE[^[>]*(?:\[[^\]]*\]\s*)?>/y
// The name is all of it or nothing: trying it shorter and shorter takes minutes for a megabyte without a `>`.
const ROOT = /<([^\s/>]+)(?=[\s/>])([^>]*)>/y

/** The first start tag of an XML text: its name, and what stands behind the name. Empty if there is none. */
export function rootOf(text: string): { readonly name: string; readonly attributes: string } {
  let at = 0
  for (BEFORE_ROOT.lastIndex = 0; BEFORE_ROOT.test(text); BEFORE_ROOT.lastIndex = at) at = BEFORE_ROOT.lastIndex
  ROOT.lastIndex = at
  const [, name = '', attributes = ''] = ROOT.exec(text) ?? []
  return { name, attributes }
}

/**
 * Whether an XML file is no definition at all but a document of another kind, such as an ISO 19115 record that lies beside
 * the definitions: its root has a namespace, which ERDDAP's tags never have, or is a known one. A root with a
 * datasetID is a definition, however it is spelt.
 */
export function isOtherDocument(text: string): boolean {
  const { name, attributes } = rootOf(text)
  if (name === 'dataset' || name === 'erddapDatasets' || /\bdatasetID\s*=/.test(attributes)) return false
  return RECORD_ROOTS.has(name) || name.includes(':') || /\sxmlns(?::\w+)?\s*=/.test(attributes)
}
