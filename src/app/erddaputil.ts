import { connectionOptions } from '../bus/amqp/amqp-bus.ts'
import { amqpBridge } from '../compat/erddaputil/amqp.ts'
import { type BridgeDeps, Incoming, tcpBridge, WARNING } from '../compat/erddaputil/bridge.ts'
import type { ErddaputilConfig } from '../config/erddaputil.ts'
import { absolute } from '../config/paths.ts'
import type { Service } from '../core/service.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { connectingTo } from './bus.ts'

/** What lets nodes of ERDDAPUtil take part; nothing unless it is configured. Rejects when a secret cannot be read. */
export async function erddaputilServices(
  config: ErddaputilConfig | undefined,
  base: string,
  given: Omit<BridgeDeps, 'hostname' | 'tree'>,
): Promise<readonly Service[]> {
  if (config === undefined) return []
  const { hostname, tree, listen, nodes, amqp } = config
  const deps = { ...given, hostname, tree }
  const secret = await readSecretFile(absolute(base, config.secretFile))
  const incoming = new Incoming(deps)
  deps.log.warn(WARNING)
  const services = tcpBridge({ listen, nodes, secret, incoming }, deps)
  if (amqp === undefined) return services
  const { exchange, exchangeType, cluster, ...broker } = amqp
  const connection = connectionOptions(await connectingTo(broker, { base, name: 'erddaputil' }))
  return [...services, amqpBridge({ connection, exchange, exchangeType, cluster, secret, incoming }, deps)]
}
