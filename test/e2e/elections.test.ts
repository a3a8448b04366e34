import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { holderOf } from '../../src/coordination/claims.ts'
import { staleFence } from '../../src/core/coordination/fences.ts'
import type { Change, Store } from '../../src/core/store.ts'
import { FileFences, type FenceCheck } from '../../src/files/fences.ts'
import { Secret } from '../../src/lib/secret.ts'
import { openRemoteStore } from '../../src/store/remote/remote-store.ts'
import { memoryTree, openFileServer } from '../helpers/file-server.ts'
import { HubProcess } from '../helpers/hub-process.ts'
import type { Written } from '../helpers/leader-process.ts'
import { MortalProcess } from '../helpers/mortal-process.ts'
import { openTcpProxy, type TcpProxy } from '../helpers/tcp-proxy.ts'

/**
 * Leaders that are killed, stopped and cut off, and know no better than to go on writing: what takes effect is of one of them
 * at a time. Of what is written to the hub every commit is looked at; of files, who was told what, and what was there to read.
 */
const IS_SOAK = process.env['FLOTILLA_SOAK'] === '1'
const ELECTIONS = IS_SOAK ? 1000 : 8
const TTL_MS = 1000
const CONTENDERS = 3
const LONG = IS_SOAK ? 7_200_000 : 120_000
const LEADER = 'test/helpers/leader-process.ts'

let folder: string
let hub: HubProcess
let store: Store
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'flotilla-elections-'))
  hub = await HubProcess.start({ folder, name: 'hub' })
  store = openRemoteStore({ url: hub.url, token: new Secret(hub.token) })
  const headers = { authorization: `Bearer ${hub.token}`, 'content-type': 'application/json' }
  await fetch(`${hub.url}/v1/profiles`, { method: 'POST', headers, body: '{"name":"led"}' })
}, 60_000)
afterAll(async () => {
  await store.close()
  await hub.kill()
  rmSync(folder, { recursive: true, force: true })
}, 60_000)

/** A file service with a tree of one file, whose fences are asked of the hub or only compared with each other. */
async function serveFile(name: string, check?: FenceCheck) {
  const fences = await FileFences.open(join(folder, `${name}.json`), check)
  const tree = { ...memoryTree('t'), fences }
  const { url } = await openFileServer({ trees: [tree], open: { openReads: true, openWrites: true } })
  return `${url}/t`
}

class Contender extends MortalProcess {
  readonly who: string
  readonly #wire: TcpProxy
  readonly #argv: readonly string[]

  constructor(who: string, wire: TcpProxy, places: { readonly with: string; readonly without: string }) {
    super()
    this.who = who
    this.#wire = wire
    const { with: asked, without } = places
    const to = ['--hub', wire.url, '--token', hub.token, '--with', asked, '--without', without]
    const as = ['--who', who, '--ttl', String(TTL_MS), '--log', join(folder, `${who}.log`)]
    this.#argv = [...to, ...as]
    this.begin()
  }

  begin(): void {
    this.launch(this.#argv, { cwd: folder }, LEADER)
  }

  cutOff(): void {
    this.#wire.clog()
  }

  reconnect(): void {
    this.#wire.cut()
    this.#wire.heal()
  }

  writes(): readonly Written[] {
    const file = join(folder, `${this.who}.log`)
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
    // One that was killed in the middle of a line has said nothing with it.
    return lines.filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Written)
  }
}

/** What a leader goes through; answers how it is over, once another one leads. */
const FAULTS: readonly ((leader: Contender) => Promise<() => void>)[] = [
  async (leader) => {
    await leader.kill()
    return () => leader.begin()
  },
  async (leader) => {
    leader.freeze()
    return () => leader.thaw()
  },
  async (leader) => {
    leader.cutOff()
    return () => leader.reconnect()
  },
  async (leader) => {
    const headers = { authorization: `Bearer ${hub.token}` }
    await fetch(`${hub.url}/v1/elections/main/claims/${leader.who}`, { method: 'DELETE', headers })
    return () => undefined
  },
]

const tokenOf = (fence: string): number => Number(fence.split('@')[1])

/** Everything that happens to the claims and to the param, by revision. */
class Journal {
  readonly changes: { readonly revision: number; readonly change: Change }[] = []
  readonly #stop = new AbortController()
  readonly #reading: Promise<void>

  constructor(after: number) {
    this.#reading = this.#read(after)
  }

  async end(): Promise<void> {
    const headers = { authorization: `Bearer ${hub.token}`, 'content-type': 'application/json' }
    const end = { method: 'PUT', headers, body: '{"value":true}' }
    await fetch(`${hub.url}/v1/profiles/led/params/end`, end)
    const isEnd = ({ change }: { readonly change: Change }): boolean =>
      change.op === 'put' && change.entry.key === 'profile/led' && change.entry.value.includes('"end":true')
    await expect.poll(() => this.changes.some(isEnd), { timeout: 30_000 }).toBe(true)
    this.#stop.abort()
    await this.#reading
  }

  async #read(after: number): Promise<void> {
    const options = { after, also: ['profile/led'], signal: this.#stop.signal }
    for await (const { revision, changes } of store.watch('elect/main/', options)) {
      for (const change of changes) this.changes.push({ revision, change })
    }
  }

  /** Who put the claim of that revision. */
  claimant(token: number): string | undefined {
    const put = this.changes.find(({ revision, change }) => revision === token && change.op === 'put')?.change
    return put?.op === 'put' ? put.entry.key.split('/')[2] : undefined
  }

  /** Tokens in the order of their writes; throws where one was written when its claim was not there. */
  written(): readonly number[] {
    const there = new Set<string>()
    const tokens: number[] = []
    for (const { revision, change } of this.changes) {
      const key = change.op === 'put' ? change.entry.key : change.key
      if (key.startsWith('elect/')) {
        if (change.op === 'put') there.add(`${key}@${revision}`)
        else for (const fence of there) if (fence.startsWith(`${key}@`)) there.delete(fence)
      } else if (change.op === 'put') {
        const { params } = JSON.parse(change.entry.value) as { params: { leader?: string } }
        if (params.leader === undefined) continue
        if (!there.has(params.leader)) throw new Error(`${params.leader} wrote at ${revision}, and did not lead`)
        tokens.push(tokenOf(params.leader))
      }
    }
    return tokens
  }
}

/** Pairs of which the later leader's write was over before the earlier leader's began, although both were accepted. */
function outOfOrder(writes: readonly Written[]): readonly (readonly [Written, Written])[] {
  const accepted = writes.filter(({ status }) => status === 200)
  const byEnd = accepted.toSorted((a, b) => Number(BigInt(a.endedNs) - BigInt(b.endedNs)))
  const byStart = accepted.toSorted((a, b) => Number(BigInt(a.startedNs) - BigInt(b.startedNs)))
  const found: (readonly [Written, Written])[] = []
  let [at, greatest] = [0, undefined as Written | undefined]
  for (const write of byStart) {
    for (; at < byEnd.length && BigInt(byEnd[at]!.endedNs) < BigInt(write.startedNs); at++) {
      if (greatest === undefined || tokenOf(byEnd[at]!.fence) > tokenOf(greatest.fence)) greatest = byEnd[at]
    }
    if (greatest !== undefined && tokenOf(write.fence) < tokenOf(greatest.fence)) found.push([greatest, write])
  }
  return found
}

test(
  `of ${ELECTIONS} leaders that are killed, stopped, cut off or deposed, and go on writing, none has an effect after another one`,
  async () => {
    const places = {
      with: await serveFile('with', async (fence, op) => {
        const holder = await holderOf(store, fence, op)
        if (holder === undefined) throw staleFence(fence)
        return { isExclusive: holder.seats === 1 }
      }),
      without: await serveFile('without'),
    }
    const journal = new Journal((await store.list('elect/main/')).revision)
    const seen: Readonly<Record<'with' | 'without', number[]>> = { with: [], without: [] }
    const over = new AbortController()
    const reading = readOn(places, seen, over.signal)
    const contenders: Contender[] = []
    for (let at = 0; at < CONTENDERS; at++) {
      const wire = await openTcpProxy(hub.url)
      onTestFinished(() => wire.close())
      const contender = new Contender(`c${at}`, wire, places)
      onTestFinished(() => contender.kill())
      contenders.push(contender)
    }
    let last = 0
    let heal: () => void = () => undefined
    for (let election = 0; election < ELECTIONS; election++) {
      // Whoever leads now has written to the hub and to both files.
      const led = (): number => Math.min(lastOf(journal), seen.with.at(-1) ?? 0, seen.without.at(-1) ?? 0)
      await expect.poll(led, { timeout: 30_000, interval: 20 }).toBeGreaterThan(last)
      last = lastOf(journal)
      heal()
      const leader = contenders.find(({ who }) => who === journal.claimant(last))
      heal = (await FAULTS[election % FAULTS.length]?.(leader!)) ?? heal
    }
    heal()
    await delay(2 * TTL_MS)
    over.abort()
    await reading
    for (const contender of contenders) await contender.kill()
    await journal.end()

    const tokens = journal.written()
    expect(new Set(tokens).size).toBeGreaterThanOrEqual(ELECTIONS)
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
    const writes = contenders.flatMap((contender) => contender.writes())
    // Those who were deposed did try.
    expect(writes.filter(({ status }) => status === 412).length).toBeGreaterThan(0)
    for (const place of ['param', 'with', 'without']) {
      expect(outOfOrder(writes.filter((write) => write.place === place))).toEqual([])
    }
    for (const place of ['with', 'without'] as const) {
      expect(seen[place]).toEqual(seen[place].toSorted((a, b) => a - b))
    }
  },
  LONG,
)

/** The last token that was written to the hub. */
function lastOf({ changes }: Journal): number {
  const last = changes.findLast(({ change }) => change.op === 'put' && change.entry.key === 'profile/led')?.change
  if (last?.op !== 'put') return 0
  const { params } = JSON.parse(last.entry.value) as { params: { leader?: string } }
  return params.leader === undefined ? 0 : tokenOf(params.leader)
}

/** What there is to read, whenever it is another. */
async function readOn(
  places: Readonly<Record<'with' | 'without', string>>,
  seen: Readonly<Record<'with' | 'without', number[]>>,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    for (const place of ['with', 'without'] as const) {
      const answer = await fetch(`${places[place]}/leader.txt`)
      const token = tokenOf(await answer.text())
      if (answer.ok && token !== seen[place].at(-1)) seen[place].push(token)
    }
    await delay(5)
  }
}

test('the check of leaders finds a write that came too late', () => {
  const write = (fence: string, startedNs: string, endedNs: string, status = 200): Written => ({
    place: 'x',
    fence,
    startedNs,
    endedNs,
    status,
  })
  const [first, second] = [write('elect/main/a@5', '10', '20'), write('elect/main/b@9', '15', '30')]
  expect(outOfOrder([first, second, write('elect/main/a@5', '25', '40')])).toEqual([])
  expect(outOfOrder([first, second, write('elect/main/a@5', '31', '40', 412)])).toEqual([])
  expect(outOfOrder([first, second, write('elect/main/a@5', '31', '40')])).toHaveLength(1)
})
