import { BlockList, isIP } from 'node:net'
import type { Clock } from '../../../core/clock.ts'
import { FlotillaError, messageOf } from '../../../core/errors.ts'
import type { Logger } from '../../../core/log.ts'
import type { Service } from '../../../core/service.ts'
import { sleepQuietly } from '../../../lib/waiting.ts'

export interface AddressesOptions {
  readonly name: string
  /** All addresses of a name, as the system finds them. */
  readonly lookup: (name: string) => Promise<readonly string[]>
  /** `10.0.0.0/8`; nodes may be at no other address. Anywhere, where there are none. */
  readonly networks: readonly string[]
  readonly clock: Clock
  readonly log: Logger
  readonly onChange: () => void
}

const EVERY_MS = 30_000
const UNKNOWN_MS = 3000
/** Where no node is, and where a request must not be led by what a node says of itself. */
const NEVER = ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/128', 'fe80::/10', 'ff00::/8']

/**
 * Looks up the names under which nodes are reached. Proxies get addresses: they would look a name up once, when they start,
 * and not start at all with one that is not known. A name that cannot be looked up keeps the address it had.
 */
export class Addresses implements Service {
  readonly name: string
  readonly #options: AddressesOptions
  readonly #never = networksOf(NEVER)
  readonly #only: BlockList | undefined
  /** Undefined for a name that is not known yet. */
  #found = new Map<string, string | undefined>()

  constructor(options: AddressesOptions) {
    this.#options = options
    this.name = `addresses of ${options.name}`
    this.#only = options.networks.length === 0 ? undefined : networksOf(options.networks)
  }

  /** Undefined while the name is not known, and for an address at which no node may be. */
  of(host: string): string | undefined {
    const address = isIP(host) === 0 ? this.#found.get(host) : host
    return address !== undefined && this.#isAllowed(address) ? address : undefined
  }

  /** What was found, by name: for `restore` after a restart. */
  get found(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      [...this.#found].flatMap(([name, address]) => (address === undefined ? [] : [[name, address]])),
    )
  }

  restore(found: Readonly<Record<string, string>>): void {
    this.#found = new Map(Object.entries(found))
  }

  /** From now on these names are looked up, new ones at once. Nobody waits for that: a name service may take its time. */
  follow(hosts: Iterable<string>): void {
    const names = new Set([...hosts].filter((host) => isIP(host) === 0))
    for (const name of this.#found.keys()) if (!names.has(name)) this.#found.delete(name)
    for (const name of names) {
      if (this.#found.has(name)) continue
      this.#found.set(name, undefined)
      void this.#refresh([name])
    }
  }

  /** Looks each of these names up once. */
  async find(hosts: Iterable<string>): Promise<void> {
    const names = [...hosts].filter((host) => isIP(host) === 0)
    for (const name of names) if (!this.#found.has(name)) this.#found.set(name, undefined)
    await Promise.all(names.map(async (name) => await this.#look(name)))
  }

  async run(signal: AbortSignal): Promise<void> {
    let waitedMs = 0
    while (await sleepQuietly(this.#options.clock, UNKNOWN_MS, signal)) {
      waitedMs += UNKNOWN_MS
      const isDue = waitedMs >= EVERY_MS
      if (isDue) waitedMs = 0
      await this.#refresh(
        [...this.#found].filter(([, address]) => isDue || address === undefined).map(([name]) => name),
      )
    }
  }

  async #refresh(names: readonly string[]): Promise<void> {
    const changed = await Promise.all(names.map(async (name) => await this.#look(name)))
    if (changed.includes(true)) this.#options.onChange()
  }

  /** Whether it is at another address than before. */
  async #look(name: string): Promise<boolean> {
    const { lookup, log } = this.#options
    const before = this.#found.get(name)
    try {
      const all = await lookup(name)
      if (!this.#found.has(name) || (before !== undefined && all.includes(before))) return false
      const [first] = all.filter((address) => this.#isAllowed(address)).toSorted()
      if (first === undefined) {
        log.warn('a node is at no address that it may have', { host: name, addresses: all })
        return false
      }
      this.#found.set(name, first)
      return first !== before
    } catch (error) {
      log.warn('the name of a node cannot be looked up', { host: name, error: messageOf(error) })
      return false
    }
  }

  #isAllowed(address: string): boolean {
    if (isIP(address) === 0) return false
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    // An IPv4 address in another dress would pass by the networks.
    if (family === 'ipv6' && /^[0:]*:ffff:/i.test(address)) return false
    return !this.#never.check(address, family) && (this.#only?.check(address, family) ?? true)
  }
}

/** Throws `CONFIG_INVALID` for what is no network. */
export function networksOf(texts: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of texts) {
    const [, address = '', bits] = /^([0-9A-Fa-f.:]+)\/(\d{1,3})$/.exec(text) ?? []
    const family = isIP(address)
    if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) {
      throw new FlotillaError('CONFIG_INVALID', `${text} is no network`, { hint: 'A network looks like 10.0.0.0/8.' })
    }
    list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
