import { connectionOptions } from '../bus/amqp/amqp-bus.ts'
import { amqpBridge } from '../compat/erddaputil/amqp.ts'
import { type BridgeDeps, Incoming, tcpBridge, WARNING } from '../compat/erddaputil/bridge.ts'
import type { ErddaputilConfig } from '../config/erddaputil.ts'
import { absolute } from '../config/paths.ts'
import type { Service } from '../core/service.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { connectingTo } from './bus.ts'

/**
 * What lets nodes of ERDDAPUtil take part; nothing unless it is configured. `inOne` is what is done with a service of which all hubs
 * over one store are to have one: who tells nodes, and who takes messages from a broker. Each hub listens for itself. Rejects when a
 * secret cannot be read.
 */
export async function erddaputilServices(
  config: ErddaputilConfig | undefined,
  base: string,
  given: Omit<BridgeDeps, 'hostname' | 'tree'>,
  inOne: (service: Service) => Service,
): Promise<readonly Service[]> {
  if (config === undefined) return []
  const { hostname, tree, listen, nodes, amqp } = config
  const deps = { ...given, hostname, tree }
  const secret = await readSecretFile(absolute(base, config.secretFile))
  const incoming = new Incoming(deps)
  deps.log.warn(WARNING)
  const listening = tcpBridge({ listen, nodes: [], secret, incoming }, deps)
  const services = [...listening, ...tcpBridge({ nodes, secret, incoming }, deps).map(inOne)]
  if (amqp === undefined) return services
  const { exchange, exchangeType, cluster, ...broker } = amqp
  const connection = connectionOptions(await connectingTo(broker, { base, name: 'erddaputil' }))
  return [...services, inOne(amqpBridge({ connection, exchange, exchangeType, cluster, secret, incoming }, deps))]
}
