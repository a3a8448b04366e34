import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { GeoserverCluster } from '../test/helpers/geoserver-cluster.ts'
import type { GeoserverMachine } from '../test/helpers/geoserver-machine.ts'
import type { Bench, Figure } from './figure.ts'
import { generateCatalog } from './generate-catalog.ts'

const REPLICAS = 5
const SIZES = [100, 1000] as const
const EDITS = 60
/** Until what an edit leaves to do, such as reports, is done. */
const REST_MS = 1500
const STYLE = '/rest/workspaces/ws0/styles/s7'
const FILE = 'workspaces/ws0/styles/s7.sld'

export const bench: Bench = {
  about:
    `From GeoServer's answer to a style edited over REST on one node to the moment when the GeoServers of ${REPLICAS} replicas, told over REST by their agents, ` +
    `have written it as their own, over ${EDITS} edits of catalogs of ${SIZES.join(' and of ')} layers; ${REPLICAS + 1} GeoServer stand-ins, ${REPLICAS + 1} agents and the hub share this one machine. ` +
    'Noticing the change, the release with its checks and its way are in it. GeoServer’s JMS clustering took 600 ms to one node, with a catalog of 23 layers, and lost what the table of its ' +
    'limitations lists (docs/how-to/moving-from-geoserver-jms.md).',
  run: async (say) => {
    const figures: Figure[] = []
    for (const layers of SIZES) figures.push(...figuresOf(layers, await measure(layers, say)))
    return figures
  },
}

async function measure(layers: number, say: (line: string) => void): Promise<readonly number[]> {
  const cluster = await GeoserverCluster.start()
  try {
    const fill = (machine: GeoserverMachine): void => void generateCatalog(machine.directory, layers)
    const agent = { interval: '30s' }
    const source = await cluster.addNode('source', { role: 'source', fill, agent })
    await cluster.inStep()
    for (let node = 1; node <= REPLICAS; node++) await cluster.addNode(`replica${node}`, { fill, agent })
    await cluster.inStep()
    say(`${REPLICAS} replicas serve the ${layers} layers of the source`)
    const replicas = cluster.machines.filter((each) => each !== source)
    const all: number[] = []
    for (let edit = 0; edit <= EDITS; edit++) {
      await delay(REST_MS)
      const mark = `edit ${edit}.`
      const body = source.read(FILE).replace(/<Title>.*?<\/Title>/, `<Title>${mark}</Title>`)
      await source.rest('PUT', `${STYLE}?raw=true`, body, 'application/vnd.ogc.sld+xml')
      const measured = await arrivals(replicas, mark, Date.now())
      // The first finds code that was never run.
      if (edit > 0) all.push(...measured)
      if (edit % 20 === 0) say(`${edit} edits`)
    }
    return all
  } finally {
    await cluster.stop()
  }
}

/** For each machine, how many ms after `sinceMs` its GeoServer put the style with that mark in its place. */
async function arrivals(
  machines: readonly GeoserverMachine[],
  mark: string,
  sinceMs: number,
): Promise<readonly number[]> {
  const waiting = new Set(machines)
  const delays: number[] = []
  while (waiting.size > 0) {
    await delay(10)
    for (const machine of waiting) {
      const file = join(machine.directory, FILE)
      if (!readFileSync(file, 'utf8').includes(mark)) continue
      delays.push(Math.max(0, statSync(file).ctimeMs - sinceMs))
      waiting.delete(machine)
    }
  }
  return delays
}

function figuresOf(layers: number, values: readonly number[]): readonly Figure[] {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN
  const name = `edited to applied, ${layers.toLocaleString('en-US')} layers`
  return [
    { name: `${name}, p50`, unit: 'ms', ours: [at(0.5)] },
    { name: `${name}, p99`, unit: 'ms', ours: [at(0.99)], target: { max: 1000 } },
  ]
}
