import { buses } from '../bus/registry.ts'
import type { BusConfig } from '../config/bus.ts'
import { absolute } from '../config/paths.ts'
import type { Bus, BusHealth } from '../core/bus.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { readCertificates } from './certificates.ts'
import { systemClock } from '../lib/system-clock.ts'

interface BusDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** Who connects: `hub`, `erd1`. */
  readonly name: string
}

/** A bus that something else carries, and how that is. */
export type CarriedBus = Bus & { readonly health: BusHealth }

/** The bus of a configuration; undefined where watches are all there is. Rejects when its secrets cannot be read. */
export async function openBus(config: BusConfig | undefined, deps: BusDeps): Promise<CarriedBus | undefined> {
  if (config === undefined) return undefined
  const { clock, log } = deps
  const own = { clock, log, random: Math.random }
  if (config.kind === 'stomp') return await buses.stomp.open({ ...(await connectingTo(config, deps)), ...own })
  return await buses.amqp.open({ ...(await connectingTo(config, deps)), ...own })
}

/** A look at what carries the hints, and whether an agent listens there for this node. Rejects with `UNREACHABLE`. */
export async function probeBus(config: BusConfig, node: string, base: string) {
  const name = `doctor on ${node}`
  if (config.kind === 'amqp') return await buses.amqp.probe(await connectingTo(config, { base, name }), node)
  return await buses.stomp.probe({ ...(await connectingTo(config, { base, name })), clock: systemClock }, node)
}

/** With what its files hold. Rejects when one cannot be read. */
export async function connectingTo<C extends Pick<BusConfig, 'passwordFile' | 'caFile'>>(
  config: C,
  { base, name }: Pick<BusDeps, 'base' | 'name'>,
) {
  const { passwordFile, caFile, ...rest } = config
  return {
    ...rest,
    password: await readSecretFile(absolute(base, passwordFile)),
    ca: caFile === undefined ? undefined : await readCertificates(absolute(base, caFile)),
    connectionName: `flotilla ${name}`,
  }
}
