import type { Catalog, Item } from '../catalog.ts'
import type { DataDirectory } from '../files.ts'
import { type Element, parseXml, setText, textAt, writeXml } from '../xml.ts'

const FOLDER = 'gwc-layers'

/** A tile layer: a file of gwc-layers, named by the id of the layer or group it is of. */
export interface TileLayer {
  readonly file: string
  readonly name: string
  readonly xml: Element
}

/** The tile layers, read from disk again when their files may have changed. */
export class TileLayers {
  readonly #files: DataDirectory
  readonly #fileMs: number
  #lookedAtMs = -Infinity
  #byFile = new Map<string, { readonly modifiedAtMs: number; readonly layer: TileLayer }>()

  constructor(files: DataDirectory, fileMs: number) {
    this.#files = files
    this.#fileMs = fileMs
  }

  list(): readonly TileLayer[] {
    if (performance.now() - this.#lookedAtMs > this.#fileMs) this.look()
    return [...this.#byFile.values()].map(({ layer }) => layer)
  }

  find(name: string): TileLayer | undefined {
    return this.list().find((layer) => layer.name === name)
  }

  /** Reads what is new on disk; answers how many layers there are. */
  look(): number {
    this.#lookedAtMs = performance.now()
    const found = new Map<string, { modifiedAtMs: number; layer: TileLayer }>()
    for (const name of this.#files.list(FOLDER).filter((one) => one.endsWith('.xml'))) {
      const file = `${FOLDER}/${name}`
      const modifiedAtMs = this.#files.modifiedAtMs(file)
      const known = this.#byFile.get(file)
      const layer = known?.modifiedAtMs === modifiedAtMs ? known.layer : this.#read(file)
      if (layer !== undefined) found.set(file, { modifiedAtMs, layer })
    }
    this.#byFile = found
    return found.size
  }

  #read(file: string): TileLayer | undefined {
    try {
      const xml = parseXml(this.#files.text(file) ?? '')
      return { file, xml, name: textAt(xml, 'name') ?? '' }
    } catch {
      return undefined
    }
  }

  save(id: string, xml: Element): void {
    this.#files.write(`${FOLDER}/${id.replaceAll(':', '_')}.xml`, writeXml(xml))
    this.look()
  }

  /** Takes away the tile layer of a layer or group that is gone, and its tiles. */
  remove(catalog: Catalog, of: Item): void {
    this.#files.remove(`${FOLDER}/${of.id.replaceAll(':', '_')}.xml`)
    this.truncate(catalog.qualified(of))
    this.look()
  }

  /** Tile layers follow the new name of a layer, a group, or of the workspace both are in. */
  rename(from: string, to: string): void {
    for (const { name, file, xml } of this.list()) {
      if (name !== from && !(from.endsWith(':') && name.startsWith(from))) continue
      this.truncate(name)
      setText(xml, 'name', to + name.slice(from.length))
      this.#files.write(file, writeXml(xml))
    }
    this.look()
  }

  removeFile(layer: TileLayer): void {
    this.#files.remove(layer.file)
    this.truncate(layer.name)
    this.look()
  }

  /** Drops all tiles of a layer. */
  truncate(name: string): void {
    this.#files.remove(tileFolder(name))
  }
}

export function tileFolder(layer: string): string {
  return `gwc/${layer.replaceAll(/[^\w.-]/g, '_')}`
}
