import { networkInterfaces } from 'node:os'
import type { Json } from '../core/json-patch/json.ts'

export interface NodeFacts {
  readonly name: string
  /** What `${node.NAME}` stands for in the configuration. */
  readonly values: Readonly<Record<string, string>>
}

/** What templates know as `node`; undefined members are left out. */
export function nodeNames({ name, values }: NodeFacts, meta: Json | undefined): Json {
  const addresses = addressesOf()
  const [address] = addresses
  return { name, addresses, values, meta: meta ?? {}, ...(address !== undefined && { address }) }
}

/** Addresses at which other machines may reach this one: IPv4 before IPv6, in the order of their text. */
function addressesOf(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((one) => one ?? [])
  const outside = all.filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
  const of = (family: string): readonly string[] =>
    outside.flatMap((one) => (one.family === family ? [one.address] : [])).toSorted()
  return [...of('IPv4'), ...of('IPv6')]
}
