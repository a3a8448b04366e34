import { FlotillaError } from '../errors.ts'
import { isName } from '../keys.ts'
import { isNetwork } from '../lists/networks.ts'
import { isKey } from './key.ts'
import type { Backend, RoutingTable } from './model.ts'
import { patternFault } from './pattern.ts'

const ID_MAX = 2 ** 31 - 1
const WEIGHT_MAX = 256
const PORT_MAX = 65_535
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$/
const IPV6 = /^(?=.*:)[0-9A-Fa-f:.]{2,45}$/
const BASE = /^(?:\/[A-Za-z0-9_.~-]+)*\/?$/

/**
 * Throws `BAD_REQUEST` unless everything in the table is what it says it is: names that are names, addresses in numbers,
 * keys that are keys. A driver asks this first, so that nothing else ever stands in a configuration that it writes.
 */
export function checkTable({ backends, placement, hot, everyNode, rules, revision, blocked = [] }: RoutingTable): void {
  for (const backend of backends) checkBackend(backend)
  unique('node', backends, ({ node }) => node)
  unique('id', backends, ({ id }) => id)
  for (const [key, owners] of placement) {
    must(isKey(key), 'a key', key)
    for (const owner of owners) must(isName(owner), 'the name of a node', owner)
  }
  for (const key of hot?.keys() ?? []) must(isKey(key), 'a key', key)
  if (everyNode !== undefined) must(isEndpoint(everyNode), 'an address with a port', everyNode)
  for (const network of blocked) must(isNetwork(network), 'a network', network)
  must(isCount(revision, Number.MAX_SAFE_INTEGER), 'a release', revision)
  for (const rule of rules) {
    if (rule.system === 'rule') must(patternFault(rule.pattern) === undefined, 'a safe pattern', rule.pattern)
    else must(isBase(rule.base), 'the base of a rule', rule.base)
  }
}

/** `/erddap`; empty for the root. */
export function isBase(text: string): boolean {
  return BASE.test(text)
}

/** An address in numbers: names are looked up before they come into a table. */
export function isAddress(text: string): boolean {
  return IPV4.test(text) || IPV6.test(text)
}

function checkBackend({ node, id, host, port, weight, without }: Backend): void {
  must(isName(node), 'the name of a node', node)
  must(isAddress(host), 'an address', host)
  must(port >= 1 && isCount(port, PORT_MAX), 'a port', port)
  must(id >= 1 && isCount(id, ID_MAX), 'an id', id)
  must(weight >= 1 && isCount(weight, WEIGHT_MAX), 'a weight', weight)
  for (const key of without) must(isKey(key), 'a key', key)
}

function isEndpoint(text: string): boolean {
  const [, v6, v4, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/s.exec(text) ?? []
  return (v6 === undefined ? IPV4.test(v4 ?? '') : IPV6.test(v6)) && Number(port) >= 1 && Number(port) <= PORT_MAX
}

function isCount(value: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= max
}

function unique(what: string, backends: readonly Backend[], of: (backend: Backend) => string | number): void {
  const seen = new Set<string | number>()
  for (const backend of backends) {
    if (seen.has(of(backend))) throw new FlotillaError('BAD_REQUEST', `two backends have the ${what} ${of(backend)}`)
    seen.add(of(backend))
  }
}

function must(holds: boolean, what: string, value: string | number): void {
  if (holds) return
  throw new FlotillaError('BAD_REQUEST', `${JSON.stringify(value).slice(0, 200)} is not ${what}`)
}
