/** One finding of a check, at a place a person can open. `error` refuses a release, `warning` does not. */
export interface Problem {
  readonly severity: 'error' | 'warning'
  /** A code of `PROBLEMS`; stable, and each has an entry in docs/reference/errors.md. */
  readonly code: ProblemCode
  /** Path of the file, relative to the source folder, forward slashes. */
  readonly file: string
  /** Both start at 1; a column counts characters. Absent when the file as a whole is meant. */
  readonly line?: number
  readonly column?: number
  /** What is wrong, in one sentence without the place. */
  readonly message: string
  /** What to do about it. */
  readonly hint?: string
  /** The dataset it concerns, where that is known. */
  readonly dataset?: string
}

/** Every finding a check can make. A code is never reused for something else. */
export const PROBLEMS = {
  XML_MALFORMED: 'The file is not well-formed XML.',
  XML_DOCTYPE: 'The file has a DOCTYPE. ERDDAP stops at it, and entity definitions are an attack surface.',
  XML_ENCODING: 'The bytes do not fit the declared encoding, or the encoding is not supported.',
  XML_FORM: 'Well-formed XML in a form that the application misreads.',
  XML_TOO_DEEP: 'Elements are nested deeper than any real definition.',
  FILE_TOO_LARGE: 'The file is larger than the limit for a fragment.',
  FILE_UNREADABLE: 'The file could not be read.',
  FILE_NAME: 'The file name cannot be carried to every node.',
  TAG_UNKNOWN_TOP: 'A top-level tag that ERDDAP does not know. It would stop reading the whole file there.',
  TAG_UNKNOWN: 'A tag that ERDDAP does not know for this type of dataset. It would stop reading the whole file there.',
  TAG_VERSION: 'A tag that is newer than the ERDDAP version of a node.',
  ID_MISSING: 'A dataset without a datasetID.',
  ID_ILLEGAL: 'A datasetID that ERDDAP refuses, or that could name another file.',
  ID_DUPLICATE: 'The same datasetID in two places. ERDDAP would use one of them and skip the other.',
  TYPE_MISSING: 'A dataset without a type.',
  TYPE_UNKNOWN: 'A dataset type that ERDDAP does not have.',
  ROOT_WRAPPER: 'A fragment wrapped in <erddapDatasets>. Only the template may have that root.',
  ATTRIBUTE_GT: 'A raw ">" in an attribute value. ERDDAP ends the tag there.',
  TEMPLATE_ROOT: 'The template has no <erddapDatasets> root, or the root has attributes.',
  MANIFEST_INVALID: 'The manifest of the source folder is not valid.',
  MANIFEST_MISSING_FILE: 'The manifest lists a file that is not there.',
  MANIFEST_UNLISTED: 'A fragment that the manifest does not list, or that lies beside datasets.d. It is left out.',
  NODE_VALUE_UNKNOWN: 'The fragment uses ${node.…} with a name that a node does not define.',
  NODE_VALUE_SYNTAX: 'A ${node.…} that is not written as ${node.name}.',
  ENV_SUBSTITUTION: 'ERDDAP 2.29 and later would replace this ${…} from its own environment.',
  PATH_MISSING: 'A folder or file that the definition names does not exist on this node.',
  EMPTY: 'No dataset was found in the source folder.',
  LOAD_FAILED: 'A node’s ERDDAP could not load the dataset. What it was serving of it is gone; the message is its own.',
  LOAD_ABORTED: 'A node’s ERDDAP stopped reading datasets.xml at this place, and loaded nothing that stands behind it.',
  SAMPLE_FAILED: 'A node’s application did not answer a sample request of the rollout as it should.',
  LIST_LEFT: 'A blocked or unlimited network that ERDDAP has no way to name: only a proxy can enforce it.',
  XML_ROOT: 'The root element is not the one that a file of that name has in a data directory.',
  NAME_MISSING: 'An object that does not say its name, or what it belongs to.',
  NAME_ILLEGAL: 'An object, or what it belongs to, is called `.` or `..`: GeoServer’s REST has no address for that.',
  FOLDER_NAME:
    'A folder is called differently from the object in it. A GeoServer that makes it anew calls the folder like the object.',
  REFERENCE_MISSING: 'An object refers to another that is not there.',
  KEY_DUPLICATE: 'Two files define the same object. GeoServer would use one of them.',
  PATH_REFUSED:
    'A file that never belongs into a release: a keystore, data, a temporary file, or what each node has for itself.',
  PASSWORD_PLAIN: 'A password that anybody can read who can read the release.',
  CATALOG_CONFLICT: 'Node and release both changed the same object since they last agreed. It waits for a person.',
  CATALOG_FOREIGN: 'Something in the data directory of a node is in no release. It stays, as configured.',
  CATALOG_REFUSED:
    'A node’s GeoServer did not take an object of the release; the message is its own where it gave one.',
  KEYSTORE_DIFFERS:
    'A node has another keystore than the nodes whose passwords are released, and can read none of these.',
  DATA_MISSING: 'An object of a catalog waits on a node for data that it reads.',
  CATALOG_RELOAD: 'A node’s GeoServer must read its catalog anew, and waits until it is drained.',
  CATALOG_TILES: 'A node’s GeoServer did not give up tiles that are out of date. It is asked again.',
  CATALOG_VERSION: 'The release comes from a GeoServer of another version than that of the node.',
  LOAD_STALE: 'A node’s ERDDAP was asked to load the definition, but goes on serving what it had.',
} as const

export type ProblemCode = keyof typeof PROBLEMS

/** `path:line:column`, as editors and terminals link it. */
export function placeOf(problem: Pick<Problem, 'file' | 'line' | 'column'>): string {
  const { file, line, column } = problem
  if (line === undefined) return file
  return column === undefined ? `${file}:${line}` : `${file}:${line}:${column}`
}
