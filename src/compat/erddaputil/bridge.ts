import { FlotillaError, isError } from '../../core/errors.ts'
import type { Service } from '../../core/service.ts'
import type { Secret } from '../../lib/secret.ts'
import { parseCommand } from './command.ts'
import { carryOut, type OperationsDeps } from './operations.ts'
import { BRIDGE_AUTHOR } from './sayings.ts'
import { type TcpAddress, tcpListener, tcpSend } from './tcp.ts'
import { type Peer, teller, type TellerDeps } from './teller.ts'
import type { Message, Reply } from './wire.ts'

export interface BridgeDeps extends OperationsDeps, TellerDeps {}

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
      if (state !== 'success') throw new FlotillaError('BAD_REQUEST', `${address.host} answered: ${text.slice(0, 200)}`)
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

/** What anybody who runs both should know. (ERDDAPUtil 0.3.4: its writer strips white space, its comparison does not.) */
export const WARNING =
  'nodes of ERDDAPUtil set a hardFlag for every dataset with text of several lines whenever they compile, so these are ' +
  'away there until their files are read again'
