import { connectFirst } from '../../lib/stomp/connect-first.ts'
import type { StompLogin } from '../../lib/stomp/connection.ts'
import { AS_XML } from './listener.ts'

export interface JmsProbeOptions extends Omit<StompLogin, 'bodyMax'> {
  readonly url: string
}

/** What a look at the broker of a JMS cluster finds. */
export interface JmsProbed {
  /** Whether it can tell what changed; if not, `LACKS_XSTREAM` says what to do. */
  readonly tellsWhat: boolean
}

const BODY_MAX = 4096

/** Looks at the first broker that answers, through a queue that lives as long as the connection. Rejects with `UNREACHABLE` and why. */
export async function probeJms(options: JmsProbeOptions): Promise<JmsProbed> {
  const connection = await connectFirst({ ...options, bodyMax: BODY_MAX })
  const ask = async (headers: Readonly<Record<string, string>>): Promise<void> =>
    await connection.subscribe({ destination: '/temp-queue/probe', headers, prefetch: 1, take: () => undefined })
  try {
    await ask({})
    return {
      tellsWhat: await ask(AS_XML).then(
        () => true,
        () => false,
      ),
    }
  } finally {
    await connection.close()
  }
}
