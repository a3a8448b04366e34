import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { CoordinationClient } from '../src/client/coordination-client.ts'
import { Secret } from '../src/lib/secret.ts'
import { systemClock } from '../src/lib/system-clock.ts'
import { Cluster, PROGRAM } from './cluster.ts'
import type { Bench, Figure } from './figure.ts'

const TURNS = 15
const TTL_MS = 2000
const SCRIPT = 'echo acts; exec sleep 600'

export const bench: Bench = {
  about:
    `${TURNS + 1} processes of \`flotilla elect NAME -- CMD\` wait in line at one hub over SQLite, all on one machine. From the end of a leader until the ` +
    `first word of the next one's command, ${TURNS} times one after the other: its process is killed (its lease has ${TTL_MS / 1000} s), or its claim is ` +
    'resigned by a request. Median, and the worst.',
  run: async (say) => {
    const cluster = await Cluster.start()
    const token = new Secret(cluster.adminToken)
    const hub = new CoordinationClient({ url: cluster.client.url, token, clock: systemClock })
    try {
      say('resigned …')
      const resigned = await inTurn({ cluster, hub }, 'resigned', async ({ name }) => {
        const [leader] = (await hub.line('elect', name)).holders
        const startedMs = performance.now()
        await hub.release('elect', name, leader?.who ?? '')
        return startedMs
      })
      say('killed …')
      const killed = await inTurn({ cluster, hub }, 'killed', async ({ process: leader }) => {
        const startedMs = performance.now()
        leader.kill('SIGKILL')
        return startedMs
      })
      return [
        ...figures('resigned until the next one acts', resigned, 50),
        ...figures(`killed until the next one acts, with a lease of ${TTL_MS} ms`, killed, TTL_MS + 500),
      ]
    } finally {
      hub.close()
      await cluster.stop()
    }
  },
}

function figures(name: string, ours: readonly number[], max: number): readonly Figure[] {
  return [
    { name, unit: 'ms', ours, target: { max } },
    { name: `${name}, the worst`, unit: 'ms', ours: [Math.max(...ours)], target: { max } },
  ]
}

interface Contender {
  readonly name: string
  readonly process: ChildProcess
  readonly acts: Promise<number>
}

/** How long each took to follow, once `end` has ended the one before; it says when it began to. */
async function inTurn(
  { cluster, hub }: { readonly cluster: Cluster; readonly hub: CoordinationClient },
  name: string,
  end: (leader: Contender) => Promise<number>,
): Promise<readonly number[]> {
  const line: Contender[] = []
  try {
    // One after the other, so that the order is known.
    for (let place = 0; place <= TURNS; place++) {
      line.push(begin(cluster, name, `c${place}`))
      await untilThere(hub, name, place + 1)
    }
    const values: number[] = []
    await line[0]?.acts
    for (const [place, leader] of line.slice(0, -1).entries()) {
      await delay(TTL_MS / 4)
      const startedMs = await end(leader)
      values.push(((await line[place + 1]?.acts) ?? NaN) - startedMs)
    }
    return values
  } finally {
    for (const { process: contender } of line) contender.kill('SIGTERM')
    await Promise.all(line.map(async ({ process: one }) => one.exitCode ?? one.signalCode ?? once(one, 'exit')))
  }
}

function begin(cluster: Cluster, name: string, who: string): Contender {
  const args = [PROGRAM, 'elect', name, '--id', who, '--ttl', `${TTL_MS / 1000}`, '--', 'sh', '-c', SCRIPT]
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...cluster.env },
  })
  const acts = once(createInterface(child.stdout), 'line').then(() => performance.now())
  return { name, process: child, acts }
}

async function untilThere(hub: CoordinationClient, name: string, count: number): Promise<void> {
  for (let left = 200; left > 0; left--) {
    const { holders, waiting } = await hub.line('elect', name)
    if (holders.length + waiting.length === count) return
    await delay(50)
  }
  throw new Error(`${count} did not come to contend for ${name}`)
}
