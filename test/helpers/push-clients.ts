import { setTimeout as delay } from 'node:timers/promises'
import type { AckLevel } from '../../src/core/push/ack.ts'
import { type PushCluster, type PushedNode, TREE } from './push-cluster.ts'
import { contentOf, type Write, type WriteHistory, writeOf } from './write-history.ts'

/** Most writes go to few keys, so that they meet. */
const KEYS = 60
const LARGE = 0.04
const GONE = 0.2
/** So long an answer waits for children that may be down. */
const PATIENCE_S = '1'

export interface Load {
  readonly cluster: PushCluster
  readonly history: WriteHistory
  readonly random: () => number
  /** What was seen that must never be. */
  readonly faults: string[]
}

/** One client: writes at the root, each after the answer to the one before, until so many of all clients were acknowledged. */
export async function keepWriting(load: Load, total: number): Promise<void> {
  const { history, random } = load
  while (history.acknowledged < total) {
    const level = (['local', 'local', 'one', 'quorum', 'all'] as const)[Math.floor(random() * 5)] ?? 'local'
    const write = history.begin(keyOf(Math.floor(random() ** 2 * KEYS)), random() < GONE)
    const size = random() < LARGE ? 1_100_000 + random() * 2_000_000 : random() ** 3 * 100_000
    const answer = await sent(load, write, { level, bytes: Math.floor(size) })
    if (answer === undefined) {
      await answering(load.cluster.root)
      continue
    }
    history.acknowledge(write)
    if (answer === 'reached') checkLevel(load, write, level)
  }
}

function keyOf(index: number): string {
  return index % 3 === 0 ? `k${index}.bin` : `folder ${index % 5}/é${index}/k${index}.bin`
}

/** Nobody writes on and on to a node that is not there. */
async function answering(root: PushedNode): Promise<void> {
  while ((await fetch(root.url).catch(() => undefined)) === undefined) await delay(20)
}

/** `known`: it is done here, but has not come as far as was asked. Undefined: nobody knows. */
async function sent(
  { cluster: { root } }: Load,
  { id, key, isGone }: Write,
  { level, bytes }: { readonly level: AckLevel; readonly bytes: number },
): Promise<'reached' | 'known' | undefined> {
  const headers = { 'x-flotilla-ack': level, 'x-flotilla-ack-timeout': PATIENCE_S }
  const request = isGone
    ? { method: 'DELETE', headers }
    : { method: 'PUT', headers, body: new Uint8Array(contentOf(id, bytes)) }
  try {
    const answer = await fetch(urlOf(root, key), request)
    await answer.arrayBuffer()
    if (answer.status === 202) return 'known'
    return answer.ok ? 'reached' : undefined
  } catch {
    return undefined
  }
}

/** How many below the root have it, of so many. */
const NEEDED: Readonly<Record<AckLevel, (of: number) => number>> = {
  local: () => 0,
  one: () => 1,
  // With the root itself more than half of all.
  quorum: (of) => Math.ceil(of / 2),
  all: (of) => of,
}

/** An acknowledged write is where its level says that it is, whoever is down by now: on the disk. */
function checkLevel({ cluster, history, faults }: Load, write: Write, level: AckLevel): void {
  const [root, ...others] = [...cluster.nodes.values()]
  if (root === undefined) return
  const wrong = (node: PushedNode): string | undefined => history.behind(write, seenAt(node, write.key))
  const ofRoot = wrong(root)
  if (ofRoot !== undefined) faults.push(`acknowledged (${level}), and at the root ${ofRoot}`)
  const below = level === 'all' ? others : others.filter(({ name }) => cluster.childrenOfRoot.includes(name))
  const late = below.map(wrong)
  const reached = late.filter((one) => one === undefined).length
  if (reached < NEEDED[level](below.length)) faults.push(`acknowledged (${level}), and ${late.join('; ')}`)
}

function seenAt(node: PushedNode, key: string): number | undefined {
  const content = node.read(key)
  return content === undefined ? undefined : (writeOf(content) ?? 0)
}

/** Reads what there is on all nodes, from the disk and by HTTP, until it is told to stop. No file is ever a part, or of two, or goes back. */
export async function keepReading(load: Load, signal: AbortSignal): Promise<number> {
  const { cluster, history, random, faults } = load
  const nodes = [...cluster.nodes.values()]
  const last = new Map<string, number>()
  let reads = 0
  while (!signal.aborted) {
    const node = nodes[Math.floor(random() * nodes.length)]
    const key = history.keys[Math.floor(random() * history.keys.length)]
    if (node === undefined || key === undefined) {
      await delay(5)
      continue
    }
    for (const [way, content] of [['disk', node.read(key)] as const, ['HTTP', await asked(node, key)] as const]) {
      if (content === undefined) continue
      reads++
      const id = writeOf(content)
      const place = `${node.name} ${key}`
      const before = last.get(place)
      if (id === undefined) faults.push(`${place} (${way}): ${content.byteLength} bytes that are no whole file`)
      else last.set(place, id)
      const back = before === undefined || id === undefined ? undefined : history.goneBack(before, id)
      if (back !== undefined) faults.push(`${node.name} (${way}): ${back}`)
    }
  }
  return reads
}

/** Undefined too where there is no answer, or it broke off and told so. */
async function asked(node: PushedNode, key: string): Promise<Buffer | undefined> {
  try {
    const answer = await fetch(urlOf(node, key), { signal: AbortSignal.timeout(1000) })
    const body = await answer.arrayBuffer()
    return answer.status === 200 ? Buffer.from(body) : undefined
  } catch {
    return undefined
  }
}

export function urlOf({ url }: PushedNode, key: string): string {
  return `${url}/${TREE}/${key.split('/').map(encodeURIComponent).join('/')}`
}
