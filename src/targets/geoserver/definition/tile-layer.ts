import { sha256 } from '../../../lib/hash.ts'
import { splitKey } from './names.ts'

const FOLDER = 'gwc-layers'
/** With `.xml`, a name has at most 255 bytes. */
const NAME_MAX = 251

/** Where the tile layer of a key lies in a release: its name on disk is made of the layer's id. */
export function tileLayerPath(key: string): string {
  const { name } = splitKey(key)
  // A name that begins with a dot would be hidden.
  const encoded = encodeURIComponent(name).replaceAll("'", '%27').replace(/^\./, '%2E')
  if (encoded.length <= NAME_MAX) return `${FOLDER}/${encoded}.xml`
  const cut = encoded.slice(0, NAME_MAX - 65).replace(/%.?$/, '')
  return `${FOLDER}/${cut}-${sha256(name)}.xml`
}

/** Where GeoWebCache keeps the tile layer of the layer with that id. */
export function tileLayerPathOnDisk(id: string): string {
  return `${FOLDER}/${id.replaceAll(':', '_')}.xml`
}
