import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from './figure.ts'
import { Cluster, fragments } from './cluster.ts'

const SETTLE_MS = 20_000
const IDLE_MS = 60_000
const PAGE_BYTES = 4096

export const bench: Bench = {
  about:
    'An agent that has applied a release of 100 fragments and has nothing more to do, for a minute: it keeps its lease, ' +
    'holds two watches open and looks at its files now and then. No peer: nothing on the market does this job alone.',
  run: async (say) => {
    const cluster = await Cluster.start()
    try {
      say('warming the cache of compiled code')
      await cluster.warm()
      const { process } = await cluster.addNode('idle')
      const files = fragments(100, () => 'as it was')
      await cluster.upload(files)
      await cluster.release(files)
      await delay(SETTLE_MS)
      say(`watching it for ${IDLE_MS / 1000} s`)
      const pid = process.pid ?? 0
      const before = processorMs(pid)
      await delay(IDLE_MS)
      const share = ((processorMs(pid) - before) / IDLE_MS) * 100
      return [
        { name: 'idle agent, memory (RSS)', unit: 'MiB', ours: [residentMib(pid)], target: { max: 80 } },
        { name: 'idle agent, processor', unit: '% of a core', ours: [share], target: { max: 0.5 } },
      ]
    } finally {
      await cluster.stop()
    }
  },
}

/** Of all its threads, to the nanosecond: the first number of schedstat. */
function processorMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const times = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'))
  return times.reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1e6, 0)
}

function residentMib(pid: number): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES) / 2 ** 20
}
