/** The messages of protos/etcd.proto as they come and go. Numbers of 64 bits come as text. */

export interface Header {
  readonly memberId: string
  readonly revision: string
}

export interface KeyValue {
  readonly key: Buffer
  readonly value: Buffer
  readonly modRevision: string
  /** `0` for none. */
  readonly lease: string
}

/** A key range: one key, or those from `key` up to but without `rangeEnd`. */
export interface KeyRange {
  readonly key: Buffer
  readonly rangeEnd?: Buffer
}

export interface RangeRequest extends KeyRange {
  readonly limit?: number
  /** As the keys were then; now unless given. */
  readonly revision?: number
  readonly keysOnly?: boolean
}

export interface RangeResponse {
  readonly header: Header | null
  readonly kvs: readonly KeyValue[]
  readonly more: boolean
}

export type RequestOp =
  | { readonly requestRange: RangeRequest }
  | { readonly requestPut: { readonly key: Buffer; readonly value: Buffer; readonly lease?: string } }
  | { readonly requestDeleteRange: { readonly key: Buffer } }
  | { readonly requestTxn: { readonly success: readonly RequestOp[] } }

/** Holds when the key was last written at the revision; 0 expects it to be absent. */
export interface Compare {
  readonly result: 'EQUAL'
  readonly target: 'MOD'
  readonly key: Buffer
  readonly modRevision: number
}

export interface TxnRequest {
  readonly compare: readonly Compare[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}

export interface TxnResponse {
  readonly header: Header | null
  readonly succeeded: boolean
  readonly responses: readonly { readonly responseRange?: RangeResponse }[]
}

export interface WatchRequest {
  readonly createRequest: KeyRange & { readonly startRevision: number; readonly fragment: boolean }
}

export interface WatchResponse {
  readonly created: boolean
  readonly canceled: boolean
  /** Not `0` when the watch was cancelled because what it asked for is no longer held. */
  readonly compactRevision: string
  readonly cancelReason: string
  /** More of the same follows in the next message. */
  readonly fragment: boolean
  readonly events: readonly WatchEvent[]
}

export interface WatchEvent {
  readonly type: 'PUT' | 'DELETE'
  readonly kv: KeyValue | null
}

export interface LeaseTtlResponse {
  /** Seconds that are left; 0 or less for a lease that has ended. */
  readonly TTL: string
}

export interface LeasesResponse {
  readonly leases: readonly unknown[]
}

export interface AuthenticateResponse {
  readonly token: string
}

export interface StatusResponse {
  readonly header: Header | null
  readonly version: string
  readonly dbSize: string
  readonly dbSizeInUse: string
  /** `0` for none. */
  readonly leader: string
}

export interface AlarmResponse {
  readonly alarms: readonly { readonly memberID: string; readonly alarm: string }[]
}

export function revisionOf(header: Header | null): number {
  return Number(header?.revision ?? 0)
}
