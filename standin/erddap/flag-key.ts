import { sha256 } from '../../src/lib/hash.ts'

const INT_MIN = -(2 ** 31)

/** ERDDAP's EDD.flagKey for a dataset of the server whose public URL is `erddapUrl`, such as `https://host/erddap`. */
export function flagKey(erddapUrl: string, id: string, flagKeyKey: string): string {
  if (erddapUrl.startsWith('https')) return sha256(`${erddapUrl}_${id}_${flagKeyKey}`)
  return String((javaHash(erddapUrl) ^ javaHash(id) ^ javaHash(flagKeyKey)) - INT_MIN)
}

/** Java's String.hashCode. */
function javaHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index += 1) hash = (Math.imul(31, hash) + text.charCodeAt(index)) | 0
  return hash
}
