import { afterEach, beforeEach, describe, expect } from 'vitest'
import { isError } from '../../src/core/errors.ts'
import type { Batch, Store } from '../../src/core/store.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openEtcdStore } from '../../src/store/etcd/etcd-store.ts'
import { type EtcdCluster, type EtcdMember, startEtcd } from '../helpers/etcd.ts'
import { recorder } from '../helpers/hub.ts'
import { needs } from '../helpers/needs.ts'
import { openTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'

const test = await needs({ tools: ['etcd'] })
const IS_SOAK = process.env['FLOTILLA_SOAK'] === '1'
const WRITERS = 8
/** Writes go on for so many commits after each fault. */
const MORE = IS_SOAK ? 2000 : 100
const RESUMED_MS = 5000
const TEST_MS = 90_000
const END = 'w/end'

let etcd: EtcdCluster
const opened: { close(): Promise<void> }[] = []
beforeEach(async () => {
  etcd = await startEtcd({ members: 3 })
})
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  await etcd.stop()
})

async function open(url: string): Promise<Store> {
  const store = await openEtcdStore({ url, clock: systemClock, log: recorder().log })
  opened.push(store)
  return store
}

/** The cluster's address, with one member first: it is the one that is used. */
function startingWith({ port }: EtcdMember): string {
  const others = etcd.members.filter((member) => member.port !== port).map((member) => `127.0.0.1:${member.port}`)
  return `etcd://127.0.0.1:${port},${others.join(',')}`
}

describe('writers on three members', () => {
  test(
    'lose nothing that was acknowledged when a follower is killed, then the leader, and a watch misses none of it',
    async () => {
      const first = await etcd.leader()
      const follower = etcd.members.find((member) => member !== first)!
      const load = new Load(await open(startingWith(follower)))
      await load.acknowledged(MORE)
      await follower.kill()
      await load.acknowledged(MORE)
      await follower.restart()
      const leader = await etcd.leader()
      await leader.kill()
      await load.acknowledged(MORE)
      await load.check()
    },
    TEST_MS,
  )

  test(
    'leave a member that is frozen, be it the leader, and lose nothing',
    async () => {
      const leader = await etcd.leader()
      const load = new Load(await open(startingWith(leader)))
      await load.acknowledged(MORE)
      leader.freeze()
      await load.acknowledged(MORE)
      leader.thaw()
      await load.acknowledged(MORE)
      await load.check()
    },
    TEST_MS,
  )

  test(
    'stop while most members are gone, say so, and go on when one is back',
    async () => {
      const [a, b, c] = etcd.members as [EtcdMember, EtcdMember, EtcdMember]
      const store = await open(startingWith(a))
      const load = new Load(store)
      await load.acknowledged(MORE)
      await Promise.all([b.kill(), c.kill()])
      await expect(store.get('x')).rejects.toMatchObject({ code: 'UNREACHABLE' })
      const before = load.count
      await b.restart()
      await load.acknowledged(MORE)
      expect(load.count).toBeGreaterThan(before)
      await load.check()
    },
    TEST_MS,
  )
})

describe('a client that is cut off from one member', () => {
  let wires: readonly TcpProxy[]
  beforeEach(async () => {
    wires = await Promise.all(etcd.members.map(({ port }) => openTcpProxy(`http://127.0.0.1:${port}`)))
    opened.push(...wires)
  })
  const address = (): string => `etcd://${wires.map(({ url }) => new URL(url).host).join(',')}`

  test(
    'goes to another one, and its watch goes on where it broke off',
    async () => {
      const load = new Load(await open(address()))
      await load.acknowledged(MORE)
      wires[0]?.clog()
      await load.acknowledged(MORE)
      wires[0]?.heal()
      wires[1]?.cut()
      await load.acknowledged(MORE)
      await load.check()
    },
    TEST_MS,
  )

  test(
    'is told that nobody knows whether a commit was made whose answer was lost, and it is made once at most',
    async () => {
      const store = await open(address())
      await store.commit({ changes: [{ op: 'put', key: 'a', value: '1' }] })
      const { revision } = await store.list('')
      wires[0]?.muteServer()
      const commit = store.commit({ changes: [{ op: 'put', key: 'a', value: '2' }] })
      await expect(commit).rejects.toMatchObject({
        code: 'UNREACHABLE',
        details: { hint: expect.stringContaining('not known whether') as string },
      })
      const entry = await store.get('a')
      expect([revision, revision + 1]).toContain(entry?.revision)
      expect(entry?.value).toBe(entry?.revision === revision ? '1' : '2')
    },
    TEST_MS,
  )

  test(
    'is told so of each of many commits whose answers are lost together, and no one is made in part or twice',
    async () => {
      const store = await open(address())
      await store.commit({ changes: [{ op: 'put', key: 'a/0', value: '' }] })
      const { revision } = await store.list('')
      wires[0]?.muteServer()
      const commits = Array.from({ length: 30 }, async (_, index) =>
        store.commit({
          changes: ['left', 'right'].map((side) => ({ op: 'put', key: `${side}/${index}`, value: String(index) })),
        }),
      )
      for (const lost of await Promise.allSettled(commits)) {
        expect(lost).toMatchObject({
          status: 'rejected',
          reason: { code: 'UNREACHABLE', details: { hint: expect.stringContaining('not known whether') as string } },
        })
      }
      const [left, right] = [await store.list('left/'), await store.list('right/')]
      const made = left.entries.map((entry) => entry.revision)
      expect(right.entries.map((entry) => entry.revision)).toEqual(made)
      expect(new Set(made).size).toBe(made.length)
      expect(left.revision - revision).toBe(made.length)
    },
    TEST_MS,
  )
})

/** Clients that count up their own keys by compare-and-set, and a reader who watches; each carries on by itself when it is told to. */
class Load {
  readonly #store: Store
  readonly #stop = new AbortController()
  readonly #writing: Promise<unknown>
  readonly #reading: Promise<void>
  /** By writer: what it was told of, count and revision. */
  readonly #acknowledged: (readonly { readonly count: number; readonly revision: number }[])[]
  readonly #seen: Batch[] = []
  readonly #gapsMs: number[] = []
  #lastMs = performance.now()
  count = 0

  constructor(store: Store) {
    this.#store = store
    const lists = Array.from({ length: WRITERS }, () => [] as { count: number; revision: number }[])
    this.#acknowledged = lists
    this.#writing = Promise.all(lists.map(async (list, writer) => await this.#write(`w/${writer}`, list)))
    this.#reading = this.#read()
  }

  /** Resolves when so many more commits were acknowledged. */
  async acknowledged(more: number): Promise<void> {
    const goal = this.count + more
    this.#lastMs = performance.now()
    await expect.poll(() => this.count, { timeout: 30_000 }).toBeGreaterThanOrEqual(goal)
  }

  async check(): Promise<void> {
    this.#stop.abort()
    await this.#writing
    await this.#store.commit({ changes: [{ op: 'put', key: END, value: '' }] })
    await this.#reading
    const seen = this.#seen.map(({ revision }) => revision)
    expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b))
    const last = await this.#store.list('w/')
    for (const [writer, list] of this.#acknowledged.entries()) {
      const entry = last.entries.find(({ key }) => key === `w/${writer}`)
      const newest = list.at(-1)
      expect(Number(entry?.value)).toBeGreaterThanOrEqual(newest?.count ?? Infinity)
      for (const { revision } of list) expect(seen).toContain(revision)
      // Each count was written once: nothing was made twice, and nothing was lost between.
      expect(list.every(({ count }, index) => index === 0 || count > (list[index - 1]?.count ?? 0))).toBe(true)
    }
    if (IS_SOAK) expect(Math.max(...this.#gapsMs)).toBeLessThanOrEqual(RESUMED_MS)
  }

  async #write(key: string, list: { count: number; revision: number }[]): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const before = await this.#store.get(key)
        const count = Number(before?.value ?? 0) + 1
        const answer = await this.#store.commit({
          expect: [{ key, revision: before?.revision ?? 0 }],
          changes: [{ op: 'put', key, value: String(count) }],
        })
        // Nobody else writes the key: what was not known to be made was made meanwhile.
        if (!answer.committed) continue
        list.push({ count, revision: answer.revision })
        const nowMs = performance.now()
        this.#gapsMs.push(nowMs - this.#lastMs)
        this.#lastMs = nowMs
        this.count++
      } catch (error) {
        if (!isError(error, 'UNREACHABLE')) throw error
      }
    }
  }

  /** Until the last commit of all, which is made when nobody writes any more. */
  async #read(): Promise<void> {
    let after = 0
    const { signal } = new AbortController()
    for (;;) {
      try {
        for await (const batch of this.#store.watch('w/', { after, signal })) {
          this.#seen.push(batch)
          after = batch.revision
          if (batch.changes.some((change) => change.op === 'put' && change.entry.key === END)) return
        }
      } catch (error) {
        if (!isError(error, 'UNREACHABLE')) throw error
      }
    }
  }
}
