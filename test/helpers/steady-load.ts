import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type PushCluster, type PushedNode } from './push-cluster.ts'
import { urlOf } from './push-clients.ts'
import { contentOf, WriteHistory, writeOf } from './write-history.ts'

const LARGE = 0.04
const GONE = 0.2
/** Whoever waits longer than that is not served. */
const LONGEST_MS = 30_000
/** The first line of a file, which names its write, fits. */
const LINE_BYTES = 128

export interface SteadyOptions {
  readonly cluster: PushCluster
  readonly random: () => number
  /** Most writes go to the first of so many keys, and so replace others. */
  readonly keys: number
}

/** Writes at the root, one child of which is always there, and reads that go on at their pace: none may fail, or be told what is not so. */
export class SteadyLoad {
  readonly history = new WriteHistory()
  /** What was seen that must never be. */
  readonly faults: string[] = []
  /** Of all contents that were put. */
  bytes = 0
  /** ms that each read took. */
  readonly reads: number[] = []
  readonly #options: SteadyOptions
  readonly #last = new Map<string, number>()

  constructor(options: SteadyOptions) {
    this.#options = options
  }

  /** A new file, another in place of one, or a removal; answered when one child has it too. */
  async write(): Promise<void> {
    const { random, keys, cluster } = this.#options
    const key = keyOf(Math.floor(random() ** 2 * keys))
    const write = this.history.begin(key, random() < GONE)
    const bytes = Math.floor(random() < LARGE ? 1_100_000 + random() * 2_000_000 : random() ** 3 * 100_000)
    const headers = { 'x-flotilla-ack': 'one', 'x-flotilla-ack-timeout': '30' }
    if (!write.isGone) this.bytes += bytes
    const content = write.isGone ? {} : { body: new Uint8Array(contentOf(write.id, bytes)) }
    const method = write.isGone ? 'DELETE' : 'PUT'
    const answer = await answered(urlOf(cluster.root, key), { method, headers, ...content })
    if (answer.status === 200 || answer.status === 201 || (write.isGone && answer.status === 404))
      this.history.acknowledge(write)
    else this.faults.push(`${method} ${key}: ${answer.status} ${answer.body.toString()}`)
  }

  /** Any key, as it is at that node. */
  async read(node: PushedNode): Promise<void> {
    const key = keyOf(Math.floor(this.#options.random() ** 2 * this.#options.keys))
    const at = this.history.now()
    const beganMs = performance.now()
    const { status, body } = await answered(urlOf(node, key))
    this.reads.push(performance.now() - beganMs)
    const place = `${node.name} ${key}`
    const seen = status === 200 ? writeOf(body) : undefined
    if (status === 404)
      this.#check(place, node === this.#options.cluster.root && this.history.staleness(key, undefined, at))
    else if (seen === undefined)
      this.faults.push(`${place}: ${status}, ${body.byteLength} bytes that are no whole file`)
    else {
      const before = this.#last.get(place)
      this.#last.set(place, seen)
      this.#check(place, before !== undefined && this.history.goneBack(before, seen))
      this.#check(place, node === this.#options.cluster.root && this.history.staleness(key, seen, at))
    }
  }

  #check(place: string, wrong: string | false | undefined): void {
    if (typeof wrong === 'string') this.faults.push(`${place}: ${wrong}`)
  }
}

/** Does it again and again, so many times a second, or as often as it can where that is too often, until it is told to stop. */
export async function steadily(perSecond: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  let dueMs = performance.now()
  while (!signal.aborted) {
    await work()
    dueMs = Math.max(dueMs + 1000 / perSecond, performance.now() - 1000)
    await delay(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => undefined)
  }
}

interface Answered {
  /** 0: there was none. */
  readonly status: number
  readonly body: Buffer
}

async function answered(url: string, request: RequestInit = {}): Promise<Answered> {
  try {
    const answer = await fetch(url, { ...request, signal: AbortSignal.timeout(LONGEST_MS) })
    return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) }
  } catch (error) {
    const { message, cause } = error as Error
    return { status: 0, body: Buffer.from(`${message}: ${cause instanceof Error ? cause.message : ''}`) }
  }
}

function keyOf(index: number): string {
  return index % 3 === 0 ? `k${index}.bin` : `folder ${index % 50}/é${index}/k${index}.bin`
}

/** The write that the file of a key at a node says to be from; undefined where there is none. */
export function writeAt(node: PushedNode, key: string): number | undefined {
  let file: number
  try {
    file = openSync(join(node.folder, key), 'r')
  } catch {
    return undefined
  }
  try {
    const line = Buffer.alloc(LINE_BYTES)
    return Number.parseInt(line.toString('latin1', 0, readSync(file, line)), 10)
  } finally {
    closeSync(file)
  }
}
