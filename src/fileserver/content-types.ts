/** By the end of a name, in small letters. */
export const CONTENT_TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv; charset=utf-8',
  gz: 'application/gzip',
  html: 'text/html; charset=utf-8',
  jpg: 'image/jpeg',
  json: 'application/json',
  md: 'text/markdown; charset=utf-8',
  nc: 'application/x-netcdf',
  png: 'image/png',
  tif: 'image/tiff',
  txt: 'text/plain; charset=utf-8',
  xml: 'application/xml',
  zip: 'application/zip',
}

/** Of everything else, as S3 has it. */
export const OTHER_TYPE = 'binary/octet-stream'

/** Of a file that nobody told the type of. */
export function typeOf(key: string): string {
  const dot = key.lastIndexOf('.')
  const end = dot === -1 ? '' : key.slice(dot + 1).toLowerCase()
  return (Object.hasOwn(CONTENT_TYPES, end) ? CONTENT_TYPES[end] : undefined) ?? OTHER_TYPE
}
