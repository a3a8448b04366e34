import { randomUUID } from 'node:crypto'
import { FlotillaError, isError, messageOf } from '../../core/errors.ts'
import { keys } from '../../core/keys.ts'
import type { Logger } from '../../core/log.ts'
import type { Desired } from '../../core/release.ts'
import type { Service } from '../../core/service.ts'
import { Backoff } from '../../lib/backoff.ts'
import type { Secret } from '../../lib/secret.ts'
import { sleepQuietly } from '../../lib/waiting.ts'
import { parseCommand } from './command.ts'
import { carryOut, type OperationsDeps } from './operations.ts'
import { type TcpAddress, tcpListener, tcpSend } from './tcp.ts'
import type { Message, Reply } from './wire.ts'

/** What came from ERDDAPUtil carries this name, and is not told to its nodes again. */
export const BRIDGE_AUTHOR = 'erddaputil'

/** A way to its nodes. */
export interface Peer {
  readonly name: string
  /** Rejects with `UNREACHABLE`, or with the reason that the other side gives. */
  send(message: Message, signal: AbortSignal): Promise<void>
}

export interface BridgeDeps extends OperationsDeps {
  readonly log: Logger
  /** The name by which its nodes know this one: messages that are not meant for it are passed over. */
  readonly hostname: string
}

/** How many of its messages are remembered, so that one that comes by several ways, or again, is carried out once. */
const REMEMBERED = 10_000

/** Carries its messages out as our operations. */
export class Incoming {
  readonly #deps: BridgeDeps
  readonly #done = new Map<string, Promise<Reply>>()

  constructor(deps: BridgeDeps) {
    this.#deps = deps
  }

  /** Never rejects: what failed is an answer. */
  async take(message: Message, signal: AbortSignal): Promise<Reply> {
    const { guid, ignore } = message
    if (ignore.includes(this.#deps.hostname)) return { message: 'not for this host', state: 'success', guid }
    const before = this.#done.get(guid)
    if (before !== undefined) return await before
    const now = this.#carryOut(message, signal)
    this.#done.set(guid, now)
    const [oldest] = this.#done.keys()
    if (this.#done.size > REMEMBERED && oldest !== undefined) this.#done.delete(oldest)
    return await now
  }

  async #carryOut({ name, kwargs, guid }: Message, signal: AbortSignal): Promise<Reply> {
    const { log } = this.#deps
    try {
      const command = parseCommand(name, kwargs)
      const { message, datasets = [] } = await carryOut(command, this.#deps, BRIDGE_AUTHOR, { signal })
      log.info('carried out what ERDDAPUtil asked for', { command: name, guid })
      return { message: [message, ...datasets].join('\n'), state: 'success', guid }
    } catch (error) {
      if (isError(error)) log.warn('refused what ERDDAPUtil asked for', { command: name, guid, error: error.message })
      else log.error('failed at what ERDDAPUtil asked for', { command: name, guid, error })
      // It may be asked again: what failed was not done.
      this.#done.delete(guid)
      const hint = isError(error) && error.details.hint !== undefined ? `. ${error.details.hint}` : ''
      return {
        message: isError(error) ? error.message + hint : 'a fault; see the log of the hub',
        state: 'error',
        guid,
      }
    }
  }
}

export interface TcpBridge {
  readonly incoming: Incoming
  readonly listen?: TcpAddress | undefined
  readonly nodes: readonly TcpAddress[]
  readonly secret: Secret
  readonly onListening?: (port: number) => void
}

/** Its daemons, one by one: as shipped (0.2 to 0.3.4) they hear nothing over a broker. */
export function tcpBridge(options: TcpBridge, deps: BridgeDeps): readonly Service[] {
  const { listen, nodes, secret, incoming, onListening } = options
  const peers = nodes.map((address): Peer => ({
    name: `${address.host}:${address.port}`,
    send: async (message, signal) => {
      const { state, message: text } = await tcpSend(address, message, secret, signal)
      if (state !== 'success') throw new FlotillaError('UNREACHABLE', `${address.host} answered: ${text.slice(0, 200)}`)
    },
  }))
  const tellers = peers.map((peer) => teller(peer, deps))
  if (listen === undefined) return tellers
  const listener: Service = {
    name: 'erddaputil listener',
    run: async (signal) => {
      const onMessage = async (message: Message): Promise<Reply> => await incoming.take(message, signal)
      await tcpListener({ ...listen, secret, onMessage, log: deps.log, ...(onListening && { onListening }) }).run(
        signal,
      )
    },
  }
  return [listener, ...tellers]
}

const FIRST_MS = 1000
const MAX_MS = 60_000

/**
 * Tells a peer to compile whenever another release is desired than one that came from there. Until it has been told, it is
 * told again; only the newest release counts.
 */
export function teller(peer: Peer, deps: BridgeDeps): Service {
  const { store, tree, releases } = deps
  return {
    name: `erddaputil ${peer.name}`,
    run: async (signal) => {
      const key = keys.desired(tree)
      const { entries, revision } = await store.list(key, { signal })
      let told = releaseOf(entries.find((entry) => entry.key === key)?.value)
      let latest = new AbortController()
      try {
        for await (const { changes } of store.watch(key, { after: revision, signal })) {
          const change = changes.find((one) => one.op === 'put' && one.entry.key === key)
          const number = releaseOf(change?.op === 'put' ? change.entry.value : undefined)
          if (number === 0 || number === told) continue
          told = number
          if ((await releases.get(tree, number, { signal })).author === BRIDGE_AUTHOR) continue
          latest.abort()
          latest = new AbortController()
          void tell(peer, number, deps, latest.signal)
        }
      } finally {
        latest.abort()
      }
    },
  }
}

async function tell(
  peer: Peer,
  release: number,
  { clock, log, hostname }: BridgeDeps,
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ firstMs: FIRST_MS, maxMs: MAX_MS, random: Math.random })
  const message = compileMessage(hostname)
  while (!signal.aborted) {
    try {
      await peer.send(message, signal)
      log.info('told a node of ERDDAPUtil to compile', { node: peer.name, release })
      return
    } catch (error) {
      if (signal.aborted) return
      const level = backoff.failures === 0 ? 'warn' : 'debug'
      log[level]('a node of ERDDAPUtil could not be told', { node: peer.name, error: messageOf(error) })
      await sleepQuietly(clock, backoff.nextMs(), signal)
    }
  }
}

/** Not at once: what takes its daemon longer than 5 s would count as failed. */
function compileMessage(hostname: string): Message {
  const kwargs = { skip_errored_datasets: null, reload_all_datasets: false, immediate: false }
  return { name: 'compile_datasets', kwargs, ignore: [hostname], guid: randomUUID() }
}

function releaseOf(value: string | undefined): number {
  return value === undefined ? 0 : (JSON.parse(value) as Desired).release
}

/** What anybody who runs both should know. (ERDDAPUtil 0.3.4: its writer strips white space, its comparison does not.) */
export const WARNING =
  'nodes of ERDDAPUtil set a hardFlag for every dataset with text of several lines whenever they compile, so these are ' +
  'away there until their files are read again'
