import { isIP, isIPv4 } from 'node:net'
import { LISTS, type ListEntry, type ListName } from '../../core/lists.ts'
import type { Request } from '../../core/release.ts'
import type { Message } from './wire.ts'

/** What came from ERDDAPUtil carries this name, and is not told to its nodes again. */
export const BRIDGE_AUTHOR = 'erddaputil'

export interface Saying extends Pick<Message, 'name' | 'kwargs'> {
  /** Told again also when the other side has refused it: what is in its way may pass. */
  readonly again?: true
}

/** Not at once: what takes its daemon longer than 5 s would count as failed. */
export const COMPILE: Saying = {
  name: 'compile_datasets',
  kwargs: { skip_errored_datasets: null, reload_all_datasets: false, immediate: false },
  again: true,
}

const FLAGS = { soft: 0, 'bad-files': 1, hard: 2 } as const

/** Undefined for what its nodes have no word for. */
export function requestSaying({ kind, item, flag = 'soft' }: Request): Saying | undefined {
  const isAll = item === '*'
  switch (kind) {
    case 'reload': {
      const kwargs = { flag: FLAGS[flag], flush: false }
      if (isAll) return { name: 'reload_all_datasets', kwargs }
      return { name: 'reload_datasets', kwargs: { dataset_id: item, ...kwargs } }
    }
    case 'clear-cache':
      return { name: 'clear_erddap_cache', kwargs: { dataset_id: isAll ? '' : item } }
    case 'flush-logs':
      break
  }
  // Of one of our own nodes otherwise.
  return isAll ? { name: 'flush_logs', kwargs: {} } : undefined
}

const WORDS: Readonly<Record<ListName, { name: string; value: string; on: string }>> = {
  requestBlacklist: { name: 'manage_ip_block_list', value: 'ip_address', on: 'block' },
  subscriptionEmailBlacklist: { name: 'manage_email_block_list', value: 'email_address', on: 'block' },
  ipAddressUnlimited: { name: 'manage_unlimited_allow_list', value: 'ip_address', on: 'allow' },
}

export function listSaying(list: ListName, value: string, on: boolean): Saying {
  const words = WORDS[list]
  return { name: words.name, kwargs: { [words.value]: value, [words.on]: on, flush: false } }
}

/**
 * Whether its nodes survive being told: they write out each address of a network. (ERDDAPUtil 0.3.4: one /64 of IPv6 keeps
 * its only thread busy for ever, a smaller one breaks every compile after it.)
 */
export function isBearable(value: string): boolean {
  const [address = '', bits] = value.split('/')
  return bits === undefined || isIP(address) === 0 || (isIPv4(address) && Number(bits) >= BITS_MIN)
}

const BITS_MIN = 24

/** `list/<tree>/<list>/<value>`; undefined for any other key. */
export function parseListKey(key: string): { readonly list: ListName; readonly value: string } | undefined {
  const [family, , name, value] = key.split('/')
  const list = LISTS.find((one) => one === name)
  if (family !== 'list' || list === undefined || value === undefined) return undefined
  return { list, value: decodeURIComponent(value) }
}

export function isFromThere(value: string): boolean {
  return (JSON.parse(value) as Pick<ListEntry, 'author'>).author === BRIDGE_AUTHOR
}
