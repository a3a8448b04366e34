import type { Receiver } from '../../core/push/distribution.ts'
import { parameter, type Target } from '../../lib/s3/target.ts'
import type { TreeCall } from '../peer/peer-call.ts'
import { bad } from './frame-reader.ts'

/** A call of somebody who may feed the tree. */
export interface FedCall extends TreeCall {
  readonly receiver: Receiver
}

/** The longest that a parent may ask to wait for what lies below. */
const DEEP_MS_MAX = 3_600_000

/** From now on it is for us to go on, and nobody is to blame for silence. */
export function takeTime({ request }: FedCall): void {
  request.socket.setTimeout(0)
}

/** Undefined where nobody asked for what lies below, and something does. */
export async function withDeep(
  { target, receiver }: FedCall,
  deep: (waitMs: number) => Promise<boolean>,
): Promise<boolean | undefined> {
  if (receiver.isLeaf) return true
  const asked = parameter(target.query, 'deep') ?? ''
  if (asked === '' || asked === '0') return undefined
  return await deep(Math.min(numberIn(target, 'wait'), DEEP_MS_MAX))
}

/** 0 where it is absent. Throws `BAD_REQUEST` for what is no whole number from 0. */
export function numberIn({ query }: Target, name: string): number {
  const text = parameter(query, name) ?? '0'
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number)) throw bad(`"${name}" is no number`)
  return number
}
