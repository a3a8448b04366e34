import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
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
    try {
      say('resigned …')
      const resigned = await inTurn(cluster, 'resigned', async ({ name }) => {
        const { holders } = await lineOf(cluster, name)
        const [leader] = holders
        const startedMs = performance.now()
        await ask(cluster, 'DELETE', `/v1/elections/${name}/claims/${leader?.who}`)
        return startedMs
      })
      say('killed …')
      const killed = await inTurn(cluster, 'killed', async ({ process: leader }) => {
        const startedMs = performance.now()
        leader.kill('SIGKILL')
        return startedMs
      })
      return [
        ...figures('resigned until the next one acts', resigned, 50),
        ...figures(`killed until the next one acts, with a lease of ${TTL_MS} ms`, killed, TTL_MS + 500),
      ]
    } finally {
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
  cluster: Cluster,
  name: string,
  end: (leader: Contender) => Promise<number>,
): Promise<readonly number[]> {
  const line: Contender[] = []
  try {
    // One after the other, so that the order is known.
    for (let place = 0; place <= TURNS; place++) {
      line.push(begin(cluster, name, `c${place}`))
      await untilThere(cluster, name, place + 1)
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

async function untilThere(cluster: Cluster, name: string, count: number): Promise<void> {
  for (let left = 200; left > 0; left--) {
    const { holders, waiting } = await lineOf(cluster, name)
    if (holders.length + waiting.length === count) return
    await delay(50)
  }
  throw new Error(`${count} did not come to contend for ${name}`)
}

interface Line {
  readonly holders: readonly { readonly who: string }[]
  readonly waiting: readonly { readonly who: string }[]
}

async function lineOf(cluster: Cluster, name: string): Promise<Line> {
  return JSON.parse(await ask(cluster, 'GET', `/v1/elections/${name}`)) as Line
}

async function ask(cluster: Cluster, method: string, path: string): Promise<string> {
  const answer = await fetch(new URL(path, cluster.client.url), {
    method,
    headers: { authorization: `Bearer ${cluster.adminToken}` },
  })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status}`)
  return answer.text()
}
