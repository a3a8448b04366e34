import type { Entry } from '../../core/store.ts'
import { leaseText } from './etcd-lease.ts'
import type { KeyRange, KeyValue } from './messages.ts'

/** Where keys of the contract lie in etcd: below a root, and nothing else is there but what begins with a space. */

/** Is below, and follows, every character a key may have. */
const [FIRST, AFTER] = ['!', '\u007f']

/** All keys that start with `prefix`. */
export function rangeOf(root: string, prefix: string): Required<KeyRange> {
  // The empty prefix must not cover keys of our own.
  return { key: Buffer.from(root + (prefix === '' ? FIRST : prefix)), rangeEnd: Buffer.from(root + prefix + AFTER) }
}

export function entryOf(root: string, { key, value, modRevision, lease }: KeyValue): Entry {
  const entry = {
    key: key.toString('latin1', root.length),
    value: value.toString(),
    revision: Number(modRevision),
  }
  return lease === '0' ? entry : { ...entry, leaseId: leaseText(lease) }
}
