import type { Installation } from './installation.ts'

/** What is not the same on every server. */
export interface Differences {
  /** By dataset: the servers, by their place in the list, that lack it. */
  readonly missing: ReadonlyMap<string, readonly number[]>
  /** Datasets whose definitions mean different things, not only their layout. */
  readonly unlike: readonly string[]
  /** On here, off there. */
  readonly switched: readonly string[]
  /** Names of settings at the top of datasets.xml. */
  readonly settings: readonly string[]
  /** Names of settings in setup.xml. */
  readonly setup: readonly string[]
}

/** May differ, and mostly must. */
const OWN = new Set(['bigParentDirectory', 'baseUrl', 'baseHttpsUrl'])

/** Pure. */
export function compare(all: readonly Installation[]): Differences {
  const ids = new Set(all.flatMap(({ datasetsXml }) => [...(datasetsXml?.datasets.keys() ?? [])]))
  const missing = new Map<string, readonly number[]>()
  const unlike: string[] = []
  const switched: string[] = []
  for (const id of [...ids].toSorted()) {
    const found = all.map(({ datasetsXml }) => datasetsXml?.datasets.get(id))
    const lacking = found.flatMap((one, index) => (one === undefined ? [index] : []))
    if (lacking.length > 0) missing.set(id, lacking)
    const there = found.filter((one) => one !== undefined)
    if (new Set(there.map(({ active }) => active)).size > 1) switched.push(id)
    else if (new Set(there.map(({ digest }) => digest)).size > 1) unlike.push(id)
  }
  return {
    missing,
    unlike,
    switched,
    settings: unequal(all.map(({ datasetsXml }) => datasetsXml?.settings ?? new Map())),
    setup: unequal(all.map(({ setup }) => setup)).filter((name) => !OWN.has(name)),
  }
}

function unequal(maps: readonly ReadonlyMap<string, string>[]): readonly string[] {
  const names = new Set(maps.flatMap((map) => [...map.keys()]))
  return [...names].filter((name) => new Set(maps.map((map) => map.get(name))).size > 1).toSorted()
}
