import type { FileEntry } from '../../core/files/entry.ts'
import { escapeXml, listedKey } from '../../lib/s3/xml-write.ts'

export const OWNER = '<Owner><ID>flotilla</ID><DisplayName>flotilla</DisplayName></Owner>'

/** As S3 and Open-Meteo's clients have it: whole seconds, with milliseconds that are none. */
export function isoSeconds(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds !== lastSeconds) {
    lastSeconds = seconds
    lastText = `${new Date(seconds * 1000).toISOString().slice(0, 19)}.000Z`
  }
  return lastText
}

let lastSeconds = Number.NaN
let lastText = ''

export function contentsElement(entry: FileEntry, isUrl: boolean, owner: string): string {
  return `<Contents>${fileElements(entry, isUrl)}${owner}<StorageClass>STANDARD</StorageClass></Contents>`
}

export function versionElement(entry: FileEntry, isUrl: boolean): string {
  const version = `<VersionId>null</VersionId><IsLatest>true</IsLatest>`
  return `<Version>${fileElements(entry, isUrl)}${version}${OWNER}<StorageClass>STANDARD</StorageClass></Version>`
}

export function prefixElement(prefix: string, isUrl: boolean): string {
  return `<CommonPrefixes><Prefix>${escapeXml(listedKey(prefix, isUrl))}</Prefix></CommonPrefixes>`
}

function fileElements({ key, size, modifiedMs, etag }: FileEntry, isUrl: boolean): string {
  const name = escapeXml(listedKey(key, isUrl))
  return `<Key>${name}</Key><LastModified>${isoSeconds(modifiedMs)}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${size}</Size>`
}
