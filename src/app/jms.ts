import type { JmsConfig } from '../config/jms.ts'
import { JmsListener } from '../compat/jms/listener.ts'
import { type JmsProbed, probeJms } from '../compat/jms/probe.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { systemClock } from '../lib/system-clock.ts'
import { connectingTo } from './bus.ts'

export { LACKS_XSTREAM } from '../compat/jms/listener.ts'

interface ListenDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  readonly node: string
}

/** Calls `changed` whenever a GeoServer of the cluster says that it changed something. Rejects when its secrets cannot be read. */
export async function listenToJms(jms: JmsConfig, changed: () => void, deps: ListenDeps, signal: AbortSignal) {
  const { clock, log, base, node } = deps
  const options = await connectingTo(jms, { base, name: node })
  await new JmsListener({ ...options, node, clock, log, random: Math.random, onSignal: changed }).run(signal)
}

/** Rejects with `UNREACHABLE`. */
export async function probeJmsCluster(jms: JmsConfig, base: string): Promise<JmsProbed> {
  return await probeJms({ ...(await connectingTo(jms, { base, name: 'doctor' })), clock: systemClock })
}
