import { formatAddresses, parseAddresses } from './address.ts'
import { erddapList } from './erddap.ts'

const NETWORK = /^[0-9A-Fa-f.:]+\/\d{1,3}$/
const BITS = { 4: 32, 6: 128 } as const

/**
 * The networks that a value of a list stands for, each as `address/bits`, in their order: the form that every proxy reads.
 * None for what is no value.
 */
export function networksOf(text: string): readonly string[] {
  const range = parseAddresses(text)
  if (range === undefined) return []
  const { family, first, last } = range
  const networks: string[] = []
  for (let at = first; at <= last;) {
    let bits = 0n
    while (bits < BITS[family] && at % (2n << bits) === 0n && at + (2n << bits) - 1n <= last) bits++
    const end = at + (1n << bits) - 1n
    const network = formatAddresses({ family, first: at, last: end })
    networks.push(network.includes('/') ? network : `${network}/${BITS[family]}`)
    at = end + 1n
  }
  return networks
}

/** Of the addresses that are blocked, the networks that no ERDDAP can be told of: for a proxy to refuse. Sorted. */
export function leftToProxies(blocked: readonly string[]): readonly string[] {
  const { left } = erddapList('requestBlacklist', blocked)
  return [...new Set(left.flatMap(({ value }) => networksOf(value)))].toSorted()
}

export function isNetwork(text: string): boolean {
  return NETWORK.test(text) && networksOf(text)[0] === text
}
