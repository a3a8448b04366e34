import { place } from '../src/core/routing/place.ts'
import type { Bench } from './figure.ts'

const KEYS = 10_000
const NODES = 50
const RUNS = 25

/** Weights that differ cost a logarithm for each pair; the usual ones do not. */
const WEIGHTS = { 'equal weights': () => 100, 'weights that differ': (index: number) => 50 + (index % 4) * 50 } as const

export const bench: Bench = {
  about:
    `The owners of ${KEYS} datasets on ${NODES} nodes, three for each, from the names alone: what an agent beside a proxy does ` +
    'when a node joins or leaves, or a release brings other datasets. One process, one core; no peer does this.',
  run: (say) => {
    const keys = Array.from({ length: KEYS }, (_, index) => `dataset_${index}_of_a_usual_length`)
    const figures = Object.entries(WEIGHTS).map(([name, weightOf]) => {
      say(name)
      const nodes = Array.from({ length: NODES }, (_, index) => ({ node: `erd${index}`, weight: weightOf(index) }))
      const ours: number[] = []
      for (let run = 0; run < RUNS; run++) {
        const started = performance.now()
        place(keys, nodes, { bound: 1.25, depth: 3, hot: new Map() })
        ours.push(performance.now() - started)
      }
      return { name: `placement, ${name}`, unit: 'ms', ours, target: { max: 50 } }
    })
    return Promise.resolve(figures)
  },
}
