import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GeoserverCluster } from './geoserver-cluster.ts'
import type { GeoserverMachine } from './geoserver-machine.ts'

/** One change that a GeoServer, or its disk, has taken. */
export interface Edit {
  readonly machine: string
  /** What was changed: two edits of one place on one machine follow each other, and the later one is what somebody wanted. */
  readonly place: string
  /** Stands in what was written, and nowhere else. */
  readonly mark: string
}

type Way = (machine: GeoserverMachine, mark: string) => Promise<string>

const STYLE = 'application/vnd.ogc.sld+xml'
const LAYERS = ['w1:cities', 'w1:roads', 'w2:cities'] as const

/** Ways to change a catalog; each answers which place it was. */
function waysOf(pick: <T>(values: readonly T[]) => T): readonly Way[] {
  const put = async (machine: GeoserverMachine, path: string, body: string, type?: string): Promise<string> => {
    await machine.rest('PUT', path, body, type)
    return path
  }
  return [
    (machine, mark) => put(machine, `/rest/layers/${pick(LAYERS)}`, `<layer><path>/${mark}</path></layer>`),
    (machine, mark) => {
      const [ws = '', name = ''] = pick(LAYERS).split(':')
      const path = `/rest/workspaces/${ws}/datastores/store/featuretypes/${name}`
      return put(machine, path, `<featureType><title>${mark}</title></featureType>`)
    },
    (machine, mark) => {
      const path = pick(['/rest/styles/burg', '/rest/workspaces/w1/styles/burg', '/rest/workspaces/w2/styles/burg'])
      const body = `<StyledLayerDescriptor version="1.0.0"><!-- ${mark} --></StyledLayerDescriptor>`
      return put(machine, `${path}?raw=true`, body, STYLE)
    },
    (machine, mark) => put(machine, '/rest/services/wms/workspaces/w1/settings', `<wms><title>${mark}</title></wms>`),
    (machine, mark) => put(machine, '/rest/layergroups/all', `<layerGroup><title>${mark}</title></layerGroup>`),
    async (machine, mark) => {
      await machine.rest('POST', '/rest/workspaces', `<workspace><name>${mark}</name></workspace>`)
      return mark
    },
    async (machine, mark) => {
      await machine.rest(
        'POST',
        `/rest/workspaces/w2/styles?name=${mark}`,
        `<StyledLayerDescriptor version="1.0.0"/>`,
        STYLE,
      )
      return mark
    },
    async (machine, mark) => {
      const path = pick(['workspaces/w1/store/cities/content.ftl', 'workspaces/w1/styles/icon.svg', 'palettes/p.pal'])
      machine.write(path, `${mark}\n`)
      return await Promise.resolve(path)
    },
  ]
}

/** Changes catalogs at random, and remembers what was taken. */
export class Editors {
  readonly edits: Edit[] = []
  readonly #random: () => number
  readonly #ways: readonly Way[]
  #count = 0

  constructor(random: () => number) {
    this.#random = random
    this.#ways = waysOf((values) => this.#pick(values))
  }

  get count(): number {
    return this.#count
  }

  /** One edit, or one that the GeoServer did not take because it is down. */
  async edit(machines: readonly GeoserverMachine[]): Promise<void> {
    const machine = this.#pick(machines)
    const mark = `edit${this.#count++}x`
    try {
      const place = await this.#pick(this.#ways)(machine, mark)
      this.edits.push({ machine: machine.name, place, mark })
    } catch {
      // It may have been taken all the same: nobody was told.
    }
  }

  /** Edits that no release has, that are kept nowhere and that no later one on the same machine went over. */
  lost(cluster: GeoserverCluster): readonly Edit[] {
    const found = [...textsIn(join(cluster.folder, 'hub/data/blobs'))]
    for (const { state } of cluster.machines) found.push(...textsIn(join(state, 'targets/catalog/kept')))
    const all = found.join('\n')
    return this.edits.filter(({ machine, place, mark }, index) => {
      const isGoneOver = this.edits.some((one, at) => at > index && one.machine === machine && one.place === place)
      return !isGoneOver && !all.includes(mark)
    })
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T
  }
}

/** Nothing where the folder is not there: a node that overwrote nothing has kept nothing. */
function* textsIn(folder: string): Generator<string> {
  if (!existsSync(folder)) return
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) yield readFileSync(join(entry.parentPath, entry.name), 'utf8')
}
