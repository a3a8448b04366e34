import { randomBytes } from 'node:crypto'

/** A lease is a positive number of 63 bits in etcd, and 16 hexadecimal digits here. */

const FORM = /^[0-7][0-9a-f]{15}$/

/** Etcd counts whole seconds. Never shorter than asked for. */
export function ttlSeconds(ttlMs: number): number {
  return Math.ceil(ttlMs / 1000)
}

export function newLeaseId(): string {
  const bytes = randomBytes(8)
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  return bytes.toString('hex')
}

export function isLeaseId(text: string): boolean {
  return FORM.test(text) && !/^0+$/.test(text)
}

/** As decimal digits: it is more than a number of JavaScript holds. */
export function leaseNumber(id: string): string {
  return BigInt(`0x${id}`).toString()
}

export function leaseText(digits: string): string {
  return BigInt(digits).toString(16).padStart(16, '0')
}
