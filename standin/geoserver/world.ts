import { setTimeout as delay } from 'node:timers/promises'
import type { Catalog, Item } from './catalog.ts'
import { Keystore } from './crypt.ts'
import { catalogDate } from './dates.ts'
import { DataDirectory } from './files.ts'
import { Ids } from './ids.ts'
import { TileConfig } from './gwc/tile-config.ts'
import { TileLayers } from './gwc/tile-layers.ts'
import { type Basis, loadCatalog } from './load.ts'
import { fileOf, folder } from './places.ts'
import type { GeoServerOptions, Misbehaviour } from './options.ts'
import { StyleCache } from './ows/style-cache.ts'
import { firstStart, KEYSTORE } from './seed.ts'
import { complete, order, shapeOf } from './shape.ts'
import { Users } from './users.ts'
import { setText, writeXml } from './xml.ts'

/** What a reload adds to the update sequence. (measured) */
const RELOAD_STEPS = 18

/** A node: its data directory, what it holds in memory, and what goes wrong with it. */
export class World implements Basis {
  readonly options: GeoServerOptions
  readonly files: DataDirectory
  readonly ids = new Ids(Date.now())
  readonly keystore: Keystore
  readonly modules: readonly string[]
  readonly tileConfig: TileConfig
  readonly tileLayers: TileLayers
  readonly styles: StyleCache
  readonly users: Users
  readonly logged: string[] = []
  catalog: Catalog
  misbehave: Misbehaviour = 'none'
  /** While a reload runs. */
  reloading: Promise<void> | undefined
  #stopped = new AbortController()

  constructor(options: GeoServerOptions) {
    this.options = options
    this.modules = options.modules
    this.files = new DataDirectory(options.dataDirectory)
    firstStart(this.files, options)
    // Read here and never again: a keystore that is put in place later counts from the next start.
    this.keystore = new Keystore(this.files.read(KEYSTORE) ?? Buffer.alloc(0))
    this.tileConfig = new TileConfig(this.files)
    this.tileLayers = new TileLayers(this.files, options.fileMs)
    this.styles = new StyleCache(this.files, options.styleMs)
    this.users = new Users(this.files, options)
    this.catalog = loadCatalog(this)
  }

  get signal(): AbortSignal {
    return this.#stopped.signal
  }

  stop(): void {
    this.#stopped.abort()
  }

  log(line: string): void {
    this.logged.push(line)
  }

  /** One more change: in memory and in global.xml. */
  changed(steps = 1): void {
    setText(this.catalog.global, 'updateSequence', String(this.catalog.updateSequence + steps))
    this.files.write('global.xml', writeXml(this.catalog.global))
  }

  /** A new object: completed, dated, written. */
  add(item: Item): Item {
    const { kind, name, xml } = item
    if (shapeOf(kind, name).dated && !xml.children.some((one) => one.name === 'dateCreated')) {
      setText(xml, 'dateCreated', catalogDate(Date.now()))
    }
    complete(kind, name, xml)
    this.catalog.items.set(item.id, item)
    this.#write(item)
    return item
  }

  /** An object that was changed; its name may have changed with it, and its folder then moves. */
  save(item: Item): void {
    const { kind, name } = item
    const shape = shapeOf(kind, name)
    if (shape.dated) setText(item.xml, 'dateModified', catalogDate(Date.now()))
    complete(kind, name, order(shape, item.xml))
    this.#move(item)
    this.#write(item)
  }

  #write(item: Item): void {
    this.files.write(item.file, writeXml(item.xml))
    if (item.id === this.catalog.defaultWorkspace) this.files.write('workspaces/default.xml', writeXml(item.xml))
    this.changed()
  }

  #move(item: Item): void {
    const { catalog } = this
    const parent = catalog.items.get(item.resource ?? item.store ?? item.workspace ?? '')
    const file = fileOf(item.kind, item.name, parent)
    if (file === item.file) return
    const ownsFolder = !['style', 'layerGroup', 'namespace'].includes(item.kind)
    if (!ownsFolder) this.files.remove(item.file)
    else this.#moveFolder(folder(item), folder({ file }))
    item.file = file
  }

  #moveFolder(from: string, to: string): void {
    this.files.move(from, to)
    for (const item of this.catalog.items.values()) {
      if (item.file.startsWith(`${from}/`)) item.file = `${to}${item.file.slice(from.length)}`
    }
  }

  /** Takes an object out of memory, and its file, or its whole folder, from disk. */
  remove(item: Item): void {
    this.catalog.items.delete(item.id)
    if (['workspace', 'featureType', 'coverage', 'wmsLayer', 'wmtsLayer'].includes(item.kind) || isStoreFile(item)) {
      this.files.remove(folder(item))
    } else this.files.remove(item.file)
    if (item.kind === 'layer' || item.kind === 'layerGroup') this.tileLayers.remove(this.catalog, item)
    this.changed()
  }

  /** Reads everything from disk again. Meanwhile the node serves nothing. */
  async reload(): Promise<void> {
    await this.reloading
    this.reloading = this.#reload()
    try {
      await this.reloading
    } finally {
      this.reloading = undefined
    }
  }

  async #reload(): Promise<void> {
    const read = loadCatalog(this)
    await delay(this.options.reloadMs, undefined, { signal: this.signal })
    this.catalog = read
    this.styles.reset()
    this.changed(RELOAD_STEPS)
  }
}

function isStoreFile({ file }: Item): boolean {
  return file.endsWith('store.xml')
}
