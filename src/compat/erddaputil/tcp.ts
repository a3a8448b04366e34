import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { FlotillaError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Service } from '../../core/service.ts'
import type { Secret } from '../../lib/secret.ts'
import { aborted } from '../../lib/waiting.ts'
import { type Message, readMessage, readReply, type Reply, signMessage, signReply, WIRE_LIMITS } from './wire.ts'

/** One message each way, each ended by this; then the connection closes. */
const END = 0x04
/** As its own: a sender that is silent for longer has gone. */
const RECEIVE_MS = 5000
/** Its own take 5 s for an answer, and give one only when the work is done. */
const ANSWER_MS = 30_000
const CONNECTIONS = 128
/** Whoever connects to say nothing makes room for whoever comes next. */
const SILENT = 32

interface ListenerOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  readonly secret: Secret
  readonly onMessage: (message: Message) => Promise<Reply>
  readonly onListening?: (port: number) => void
  readonly log: Logger
}

/** Answers ERDDAPUtil's command lines and daemons as a daemon of theirs does. Whoever says nothing holds up nobody. */
export function tcpListener(options: ListenerOptions): Service {
  return {
    name: 'erddaputil listener',
    run: async (signal) => {
      const open = new Set<Socket>()
      /** Those that have not said all of their message, the oldest first. */
      const silent = new Set<Socket>()
      const server = createServer((socket) => {
        open.add(socket)
        silent.add(socket)
        socket.once('close', () => {
          open.delete(socket)
          silent.delete(socket)
        })
        const [oldest] = silent
        if (silent.size > SILENT) oldest?.destroy()
        void answer(socket, options, () => silent.delete(socket))
      })
      server.maxConnections = CONNECTIONS
      await listening(server, options)
      await aborted(signal)
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
}

async function listening(server: Server, { host, port, onListening }: ListenerOptions): Promise<void> {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new FlotillaError('PORT_TAKEN', `${host}:${port} is taken by another program, such as ERDDAPUtil's daemon`)
  }
  server.on('error', () => undefined)
  const address = server.address()
  onListening?.(typeof address === 'object' && address !== null ? address.port : port)
}

async function answer(
  socket: Socket,
  { secret, onMessage, log }: ListenerOptions,
  onReceived: () => void,
): Promise<void> {
  try {
    const token = await receive(socket, RECEIVE_MS)
    onReceived()
    const message = readMessage(token, secret)
    const reply = signReply(await onMessage(message), secret)
    socket.setTimeout(RECEIVE_MS, () => socket.destroy())
    socket.end(`${reply}\u0004`)
  } catch (error) {
    // Nobody who does not know the secret is told anything.
    log.debug('a connection of no use to ERDDAPUtil', { error: messageOf(error) })
    socket.destroy()
  }
}

export interface TcpAddress {
  readonly host: string
  readonly port: number
}

/** Sends one command to a daemon. Rejects with `UNREACHABLE`; it may have been carried out then. */
export async function tcpSend(
  { host, port }: TcpAddress,
  message: Message,
  secret: Secret,
  signal: AbortSignal,
): Promise<Reply> {
  const socket = connect({ host, port, signal })
  try {
    const failed = new Promise<never>((_resolve, reject) => socket.once('error', reject))
    failed.catch(() => undefined)
    await Promise.race([once(socket, 'connect'), failed, late(socket, RECEIVE_MS)])
    socket.write(`${signMessage(message, secret)}\u0004`)
    return readReply(await receive(socket, ANSWER_MS), secret)
  } catch (cause) {
    signal.throwIfAborted()
    throw new FlotillaError('UNREACHABLE', `${host}:${port}: ${messageOf(cause)}`, { cause })
  } finally {
    socket.destroy()
  }
}

/** Everything before the end mark, within the time and the size that there are for it. */
async function receive(socket: Socket, ms: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    let size = 0
    // In all, not since the last byte: one byte a second would hold the connection for ever.
    const timer = setTimeout(() => fail('said nothing in time'), ms)
    const done = (): void => {
      clearTimeout(timer)
      socket.off('data', take)
    }
    const fail = (why: string): void => {
      done()
      reject(new Error(why))
    }
    const take = (part: Buffer): void => {
      const end = part.indexOf(END)
      parts.push(end < 0 ? part : part.subarray(0, end))
      size += part.length
      if (size > WIRE_LIMITS.tokenChars) fail('said too much')
      else if (end >= 0) {
        done()
        resolve(Buffer.concat(parts).toString('latin1'))
      }
    }
    socket.on('data', take)
    socket.once('error', (error) => fail(error.message))
    socket.once('close', () => fail('hung up'))
  })
}

async function late(socket: Socket, ms: number): Promise<never> {
  return await new Promise((_resolve, reject) => {
    socket.setTimeout(ms, () => reject(new Error('does not answer')))
    socket.once('connect', () => socket.setTimeout(0))
  })
}
