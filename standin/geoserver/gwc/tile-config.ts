import type { DataDirectory } from '../files.ts'
import { child, type Element, parseXml, textAt } from '../xml.ts'

const BUILT_IN = ['EPSG:4326', 'EPSG:900913', 'EPSG:4326x2', 'EPSG:900913x2', 'WebMercatorQuad', 'WorldCRS84Quad']
const FORMATS = ['image/png', 'image/jpeg']
const QUOTA_BYTES = 524_288_000

/** Settings of GeoWebCache as its files had them when it last read them: at start and by its own reload. */
export class TileConfig {
  readonly #files: DataDirectory
  gridSets: readonly string[] = []
  quota = { enabled: false, bytes: QUOTA_BYTES }
  /** Whether a new layer gets a tile layer by itself. */
  byDefault = true
  #defaults: Element | undefined

  constructor(files: DataDirectory) {
    this.#files = files
    this.read()
  }

  read(): void {
    const config = this.#parse('gwc/geowebcache.xml')
    const own = child(config, 'gridSets')?.children.flatMap((one) => textAt(one, 'name') ?? []) ?? []
    this.gridSets = [...BUILT_IN, ...own]
    const quota = this.#parse('gwc/geowebcache-diskquota.xml')
    const bytes = Number(textAt(quota, 'globalQuota', 'bytes') ?? QUOTA_BYTES)
    this.quota = { enabled: textAt(quota, 'enabled') === 'true', bytes }
    this.#defaults = this.#parse('gwc-gs.xml')
    this.byDefault = textAt(this.#defaults, 'cacheLayersByDefault') !== 'false'
  }

  /** Formats of a new tile layer. */
  formats(kind: 'Vector' | 'Coverage' | 'Other'): readonly string[] {
    const named = child(this.#defaults, `default${kind}CacheFormats`)?.children.map((one) => one.text ?? '')
    return named ?? FORMATS
  }

  #parse(path: string): Element | undefined {
    try {
      return parseXml(this.#files.text(path) ?? '')
    } catch {
      return undefined
    }
  }
}
