import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Operation } from './linearizable.ts'
import type { Change, Value, VersionedHistory, VersionedInput, VersionedOutput } from './versioned.ts'

/** Where a client asks, and as whom. */
export interface Reach {
  /** Of each hub; a client whose hub does not answer goes on with the next one. */
  readonly urls: readonly string[]
  readonly token: string
  /** How long an answer may take before it counts as lost. */
  readonly patienceMs: number
}

export interface Clients {
  readonly profiles: readonly string[]
  readonly rawKeys: readonly string[]
  readonly count: number
  readonly random: (client: number) => () => number
}

/** What one request came to: an answer, nothing that could be known, or nothing at all because nobody took it. */
type Asked = { readonly status: number; readonly body: Body } | 'lost' | 'untaken'

interface Body {
  readonly params?: Value
  readonly revision?: number
  readonly changed?: boolean
  readonly value?: unknown
  readonly entry?: { readonly value: string; readonly revision: number }
  readonly committed?: boolean
  readonly actual?: number
  readonly error?: { readonly code: string; readonly conflict?: { readonly revision: number } }
}

const PARAMS = ['a', 'b'] as const
const AGAIN_MS = 100

/** Clients of hubs that ask all at once, until they are told to stop, and what each of them was told. */
export class HttpHistory {
  readonly #asker: Asker
  readonly #stop = new AbortController()
  readonly #done: Promise<unknown>
  readonly #histories = new Map<string, Operation<VersionedInput, VersionedOutput>[]>()
  #moment = 0
  /** Operations that were answered. */
  answered = 0
  lost = 0

  constructor(reach: Reach, clients: Clients) {
    this.#asker = new Asker(reach, 0)
    const things = [
      ...clients.profiles.map((name) => ({ name, isRaw: false })),
      ...clients.rawKeys.map((name) => ({ name, isRaw: true })),
    ]
    for (const { name } of things) this.#histories.set(name, [])
    this.#done = Promise.all(
      Array.from({ length: clients.count }, (_, client) =>
        new Client(client, reach, things, clients.random(client)).run(this.#stop.signal, (name, input, ask) =>
          this.#record(name, input, ask),
        ),
      ),
    )
    this.#done.catch(() => undefined)
  }

  /** Until so many more operations were answered. */
  async more(count: number, timeoutMs = 60_000): Promise<void> {
    const goal = this.answered + count
    const endMs = performance.now() + timeoutMs
    while (this.answered < goal) {
      if (performance.now() > endMs) throw new Error(`only ${this.answered} of ${goal} operations were answered`)
      await Promise.race([delay(10), this.#done])
    }
  }

  /** Ends it with a reading of everything, so that nothing that was lost goes unseen. */
  async end(): Promise<ReadonlyMap<string, VersionedHistory>> {
    this.#stop.abort()
    await this.#done
    for (const [name] of this.#histories) {
      const isRaw = name.startsWith('x/')
      const path = isRaw ? rawPath(name) : `/v1/profiles/${name}`
      let read: VersionedOutput | undefined
      while (read === undefined) {
        read = await this.#record(name, { ask: 'read' }, async () => readOf(await this.#asker.ask('GET', path), isRaw))
      }
    }
    return this.#histories
  }

  async #record(
    name: string,
    input: VersionedInput,
    ask: () => Promise<VersionedOutput | 'lost' | 'untaken'>,
  ): Promise<VersionedOutput | undefined> {
    const called = this.#moment++
    const output = await ask()
    if (output === 'untaken') return undefined
    if (output === 'lost') {
      this.lost += 1
      if (input.ask === 'change') {
        this.#histories.get(name)?.push({ input, output: undefined, called, returned: this.#moment++ })
      }
      return undefined
    }
    this.answered += 1
    this.#histories.get(name)?.push({ input, output, called, returned: this.#moment++ })
    return output
  }
}

type Record = (
  name: string,
  input: VersionedInput,
  ask: () => Promise<VersionedOutput | 'lost' | 'untaken'>,
) => Promise<VersionedOutput | undefined>

interface Thing {
  readonly name: string
  readonly isRaw: boolean
}

class Client {
  readonly #id: number
  readonly #asker: Asker
  readonly #things: readonly Thing[]
  readonly #random: () => number
  readonly #known = new Map<string, { readonly value: Value; readonly revision: number }>()
  #count = 0

  constructor(id: number, reach: Reach, things: readonly Thing[], random: () => number) {
    this.#id = id
    this.#asker = new Asker(reach, id)
    this.#things = things
    this.#random = random
  }

  async run(stop: AbortSignal, record: Record): Promise<void> {
    while (!stop.aborted) {
      const thing = this.#things[this.#pick(this.#things.length)]
      if (thing === undefined) return
      const { name, isRaw } = thing
      const input = this.#draw(name, isRaw)
      const output = await record(name, input, async () => await this.#carryOut(name, isRaw, input))
      if (output === undefined) await delay(20)
      else if ('read' in output) this.#known.set(name, { value: output.read, revision: output.revision })
    }
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  #draw(name: string, isRaw: boolean): VersionedInput {
    const known = this.#known.get(name)
    if (known === undefined || this.#random() < 0.35) return { ask: 'read' }
    const value = this.#id * 1_000_000 + this.#count++
    const { revision: ifRevision } = known
    const isGuarded = this.#random() < 0.4
    if (isRaw) {
      const change: Change = { op: 'set', param: 'value', value }
      return { ask: 'change', change, always: true, ...(isGuarded && { ifRevision }) }
    }
    const param = PARAMS[this.#pick(PARAMS.length)] ?? 'a'
    const roll = this.#random()
    if (roll < 0.3) return { ask: 'change', change: { op: 'increment', param: 'n' } }
    if (roll < 0.45) return { ask: 'change', change: { op: 'append', param: 'list', value: this.#pick(40) } }
    const change: Change = { op: 'set', param, value }
    if (roll < 0.7) return { ask: 'change', change, ref: { value: known.value[param] ?? null } }
    return { ask: 'change', change, ...(isGuarded && { ifRevision }) }
  }

  async #carryOut(name: string, isRaw: boolean, input: VersionedInput): Promise<VersionedOutput | 'lost' | 'untaken'> {
    if (input.ask === 'read') {
      const path = isRaw ? rawPath(name) : `/v1/profiles/${name}`
      return readOf(await this.#asker.ask('GET', path), isRaw)
    }
    return isRaw ? await this.#commit(name, input) : await this.#change(name, input)
  }

  async #change(
    name: string,
    { change, ref, ifRevision }: Extract<VersionedInput, { ask: 'change' }>,
  ): Promise<VersionedOutput | 'lost' | 'untaken'> {
    const [method, body] = change.op === 'set' ? ['PUT', { value: change.value }] : ['POST', bodyOf(change)]
    const json = { ...body, ...(ref && { ref: ref.value }) }
    const headers: { [name: string]: string } = ifRevision === undefined ? {} : { 'if-match': `"${ifRevision}"` }
    // Half of them send a key, and ask until they are told.
    const isOnce = this.#id % 2 === 0
    if (isOnce) headers['idempotency-key'] = randomUUID()
    const path = `/v1/profiles/${name}/params/${change.param}`
    for (let wasLost = false; ; await delay(AGAIN_MS)) {
      const asked = await this.#asker.ask(method ?? 'PUT', path, json, headers)
      wasLost ||= asked === 'lost'
      if (typeof asked === 'object') return changeOf(asked)
      if (isOnce && wasLost) continue
      return asked
    }
  }

  async #commit(
    key: string,
    { change, ifRevision }: Extract<VersionedInput, { ask: 'change' }>,
  ): Promise<VersionedOutput | 'lost' | 'untaken'> {
    const expect = ifRevision === undefined ? [] : [{ key, revision: ifRevision }]
    const value = JSON.stringify('value' in change ? change.value : 0)
    const json = { expect, changes: [{ op: 'put', key, value }] }
    const asked = await this.#asker.ask('POST', '/v1/store/commit', json)
    if (typeof asked !== 'object') return asked
    const { committed, revision = 0, actual = 0 } = checked(asked, 200)
    return committed === true ? { done: { changed: true, revision } } : { refused: { revision: actual } }
  }
}

function bodyOf(change: Change): object {
  return change.op === 'append' ? { op: 'append', value: change.value } : { op: 'increment' }
}

function rawPath(key: string): string {
  return `/v1/store/entry?key=${encodeURIComponent(key)}`
}

function readOf(asked: Asked, isRaw: boolean): VersionedOutput | 'lost' | 'untaken' {
  if (typeof asked !== 'object') return asked
  const { entry, params = {}, revision = 0 } = checked(asked, 200)
  if (!isRaw) return { read: params, revision }
  return { read: { value: JSON.parse(entry?.value ?? 'null') as unknown }, revision: entry?.revision ?? 0 }
}

function changeOf(asked: Exclude<Asked, string>): VersionedOutput {
  const conflict = asked.status === 409 ? asked.body.error?.conflict : undefined
  if (conflict !== undefined) return { refused: { revision: conflict.revision } }
  const { changed = false, revision = 0, value } = checked(asked, 200)
  return { done: { changed, revision, ...(value !== undefined && { told: value }) } }
}

function checked({ status, body }: Exclude<Asked, string>, wanted: number): Body {
  if (status === wanted) return body
  throw new Error(`answered ${status}: ${JSON.stringify(body)}`)
}

/** Stays with one hub while it answers. */
class Asker {
  readonly #reach: Reach
  #at: number

  constructor(reach: Reach, at: number) {
    this.#reach = reach
    this.#at = at
  }

  async ask(
    method: string,
    path: string,
    json?: object,
    headers: Readonly<{ [name: string]: string }> = {},
  ): Promise<Asked> {
    const { urls, token, patienceMs } = this.#reach
    const type = json === undefined ? {} : { 'content-type': 'application/json' }
    try {
      const answer = await fetch(`${urls[this.#at % urls.length]}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...type, ...headers },
        signal: AbortSignal.timeout(patienceMs),
        ...(json !== undefined && { body: JSON.stringify(json) }),
      })
      const body = (await answer.json()) as Body
      // A hub that cannot reach its store may have committed.
      if (answer.status < 500) return { status: answer.status, body }
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly code?: string } }
      this.#at += 1
      return cause?.code === 'ECONNREFUSED' ? 'untaken' : 'lost'
    }
    this.#at += 1
    return 'lost'
  }
}
