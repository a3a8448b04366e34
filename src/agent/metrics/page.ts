import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { FlotillaError, messageOf } from '../../core/errors.ts'
import type { Logger } from '../../core/log.ts'
import type { Service } from '../../core/service.ts'
import { checkRequestHead } from '../../lib/request-head.ts'
import { aborted } from '../../lib/waiting.ts'

export interface MetricsPageOptions {
  /** Of this machine only. */
  readonly host: string
  readonly port: number
  /** Each gives a part of the page, in the form that Prometheus reads. */
  readonly parts: readonly ((signal: AbortSignal) => Promise<string>)[]
  readonly log: Logger
  readonly onListening?: ((port: number) => void) | undefined
}

const LIMITS = { connections: 16, headerBytes: 8192, requestMs: 10_000 } as const

/** `GET /metrics` for a Prometheus on the same machine. */
export function metricsPage({ host, port, parts, log, onListening }: MetricsPageOptions): Service {
  return {
    name: 'metrics',
    run: async (signal) => {
      const send = async (answer: ServerResponse): Promise<void> => {
        const texts = await Promise.all(parts.map(async (part) => await quietly(part, signal, log)))
        answer.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(texts.join(''))
      }
      // Not by an import statement: see lib/http.ts.
      const server = process
        .getBuiltinModule('node:http')
        .createServer(
          { maxHeaderSize: LIMITS.headerBytes, requestTimeout: LIMITS.requestMs, headersTimeout: LIMITS.requestMs },
          (request, answer) => {
            answer.setHeader('x-content-type-options', 'nosniff')
            if (request.method !== 'GET' || request.url !== '/metrics' || !isSound(request)) {
              answer.writeHead(404, { connection: 'close' }).end()
              return
            }
            void send(answer)
          },
        )
      server.maxConnections = LIMITS.connections
      server.setTimeout(LIMITS.requestMs * 3)
      server.listen({ host, port })
      await once(server, 'listening').catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
        throw new FlotillaError('PORT_TAKEN', `${host}:${port} is taken by another program`)
      })
      onListening?.((server.address() as AddressInfo).port)
      await aborted(signal)
      server.close()
      server.closeAllConnections()
    },
  }
}

/** One part that fails leaves the others. */
async function quietly(part: MetricsPageOptions['parts'][number], signal: AbortSignal, log: Logger): Promise<string> {
  try {
    return await part(signal)
  } catch (error) {
    log.debug('a part of the metrics is missing', { error: messageOf(error) })
    return ''
  }
}

function isSound(request: Parameters<typeof checkRequestHead>[0]): boolean {
  try {
    checkRequestHead(request)
    return true
  } catch {
    return false
  }
}
