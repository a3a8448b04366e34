/** Addresses of one family from `first` to `last`, both among them. */
export interface AddressRange {
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

const BITS = { 4: 32, 6: 128 } as const

/**
 * Reads what people write for one or many addresses: `192.0.2.7`, `192.0.2.0/24`, `192.0.2.10-192.0.2.20`, ERDDAP's own
 * `192.0.2.*` and `192.0.*.*`, and the same of IPv6. Undefined for anything else. IPv4 addresses in IPv6's form are IPv4.
 */
export function parseAddresses(text: string): AddressRange | undefined {
  const [start = '', slash, ...more] = text.split('/')
  if (slash !== undefined) return more.length > 0 ? undefined : network(start, slash)
  const [from = '', to, ...others] = text.split('-')
  if (to !== undefined) return others.length > 0 ? undefined : between(parseAddress(from), parseAddress(to))
  return parsePattern(text) ?? single(parseAddress(text))
}

/** The shortest of the forms that `parseAddresses` reads: equal ranges are equal texts. */
export function formatAddresses({ family, first, last }: AddressRange): string {
  if (first === last) return formatAddress(family, first)
  const size = last - first + 1n
  const isNetwork = (size & (size - 1n)) === 0n && first % size === 0n
  if (!isNetwork) return `${formatAddress(family, first)}-${formatAddress(family, last)}`
  return `${formatAddress(family, first)}/${BITS[family] - (size.toString(2).length - 1)}`
}

export function formatAddress(family: 4 | 6, value: bigint): string {
  return family === 4 ? formatV4(value) : shortV6(value)
}

/** Each group as it is, without leading zeros: how Java writes an IPv6 address. */
export function longV6(value: bigint): string {
  return groupsOf(value).join(':')
}

/** As RFC 5952 wants it, and every proxy writes it: the first of the longest runs of at least two zero groups is `::`. */
export function shortV6(value: bigint): string {
  const groups = groupsOf(value)
  let best = { start: 0, length: 1 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === '0') length++
    if (length > best.length) best = { start, length }
  }
  if (best.length < 2) return groups.join(':')
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`
}

interface Address {
  readonly family: 4 | 6
  readonly value: bigint
}

function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) return address(4, parseV4(text))
  const value = parseV6(text)
  return value !== undefined && value >> 32n === 0xffffn ? address(4, value & 0xffffffffn) : address(6, value)
}

function address(family: 4 | 6, value: bigint | undefined): Address | undefined {
  return value === undefined ? undefined : { family, value }
}

function single(at: Address | undefined): AddressRange | undefined {
  return at && { family: at.family, first: at.value, last: at.value }
}

function between(from: Address | undefined, to: Address | undefined): AddressRange | undefined {
  if (from === undefined || to === undefined || from.family !== to.family || from.value > to.value) return undefined
  return { family: from.family, first: from.value, last: to.value }
}

/** Bits behind the prefix are let go: `192.0.2.7/24` is the network that it lies in. */
function network(text: string, prefix: string): AddressRange | undefined {
  const at = parseAddress(text)
  if (at === undefined || !/^(?:0|[1-9][0-9]{0,2})$/.test(prefix)) return undefined
  // `::ffff:192.0.2.0/120` is 192.0.2.0/24.
  const mapped = at.family === 4 && text.includes(':') ? 96 : 0
  const length = Number(prefix) - mapped
  if (length < 0 || length > BITS[at.family]) return undefined
  const size = 1n << BigInt(BITS[at.family] - length)
  const first = at.value - (at.value % size)
  return { family: at.family, first, last: first + size - 1n }
}

/** One or two parts at the end are `*`. */
function parsePattern(text: string): AddressRange | undefined {
  const v4 = /^([0-9]+\.[0-9]+)\.(?:([0-9]+)\.\*|\*\.\*)$/.exec(text)
  if (v4 !== null) return v4[2] === undefined ? network(`${v4[1]}.0.0`, '16') : network(`${v4[1]}.${v4[2]}.0`, '24')
  const v6 = /^([0-9A-Fa-f:]+:)(\*|\*:\*)$/.exec(text)
  if (v6 === null) return undefined
  return v6[2] === '*' ? network(`${v6[1]}0`, '112') : network(`${v6[1]}0:0`, '96')
}

/** Leading zeros are refused: some programs read octal numbers there. */
const OCTET = /^(?:0|[1-9][0-9]{0,2})$/

function parseV4(text: string): bigint | undefined {
  const octets = text.split('.')
  if (octets.length !== 4 || octets.some((octet) => !OCTET.test(octet) || Number(octet) > 255)) return undefined
  return octets.reduce((value, octet) => value * 256n + BigInt(octet), 0n)
}

function parseV6(text: string): bigint | undefined {
  const withTail = /^(.*:)([0-9.]+\.[0-9.]+)$/.exec(text)
  const tail = withTail === null ? undefined : parseV4(withTail[2] ?? '')
  if (withTail !== null && tail === undefined) return undefined
  const hex =
    tail === undefined ? text : `${withTail?.[1]}${(tail >> 16n).toString(16)}:${(tail & 0xffffn).toString(16)}`
  const [head = '', rest, ...more] = hex.split('::')
  if (more.length > 0) return undefined
  const before = head === '' ? [] : head.split(':')
  const after = rest === undefined || rest === '' ? [] : rest.split(':')
  const missing = 8 - before.length - after.length
  if (rest === undefined ? missing !== 0 : missing < 1) return undefined
  const groups = [...before, ...Array.from({ length: missing }, () => '0'), ...after]
  if (groups.some((group) => !/^[0-9A-Fa-f]{1,4}$/.test(group))) return undefined
  return groups.reduce((value, group) => (value << 16n) + BigInt(`0x${group}`), 0n)
}

function formatV4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.')
}

function groupsOf(value: bigint): readonly string[] {
  return Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
}
