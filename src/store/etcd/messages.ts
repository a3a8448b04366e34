import { ProtoReader, ProtoWriter } from './protobuf.ts'

/** The messages of etcd's v3 API that are used here. facts: etcd's own rpc.proto, kv.proto and auth.proto, 3.4. */

/** A key range: one key, or those from `key` up to but without `end`. */
export interface KeyRange {
  readonly key: string
  readonly end?: string
}

export interface KeyValue {
  readonly key: string
  readonly value: string
  readonly modRevision: number
  /** 0 for none. */
  readonly lease: bigint
}

export type RequestOp =
  | { readonly op: 'range'; readonly key: string; readonly keysOnly: true }
  | { readonly op: 'put'; readonly key: string; readonly value: string; readonly lease?: bigint | undefined }
  | { readonly op: 'delete'; readonly key: string }
  | { readonly op: 'txn'; readonly success: readonly RequestOp[] }

/** Holds when the key was last written at the revision; 0 expects it to be absent. */
export interface Compare {
  readonly key: string
  readonly modRevision: number
}

export interface TxnRequest {
  readonly compare: readonly Compare[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}

export interface TxnAnswer {
  readonly revision: number
  readonly succeeded: boolean
  /** Of each range of the branch that was taken: the revision that last wrote its key, 0 for an absent one. */
  readonly ranges: readonly number[]
}

export interface RangeAnswer {
  readonly revision: number
  readonly kvs: readonly KeyValue[]
}

export interface WatchAnswer {
  readonly created: boolean
  readonly canceled: boolean
  /** Not 0 when the watch was cancelled because what it asked for is no longer held. */
  readonly compactRevision: number
  readonly cancelReason: string
  /** More of the same follows in the next message. */
  readonly fragment: boolean
  readonly events: readonly WatchEvent[]
}

export interface WatchEvent {
  readonly isDelete: boolean
  readonly kv: KeyValue
}

const COMPARE_EQUAL_ON_MOD = 2

export function encodeRange({ key, end }: KeyRange, options: { readonly serializable?: true } = {}): ProtoWriter {
  const writer = new ProtoWriter().text(1, key)
  if (end !== undefined) writer.text(2, end)
  if (options.serializable === true) writer.number(7, 1)
  return writer
}

export function encodeTxn({ compare, success, failure }: TxnRequest): ProtoWriter {
  const writer = new ProtoWriter()
  for (const { key, modRevision } of compare) {
    // The revision is written also where it is 0: it is the member of a union.
    const one = new ProtoWriter().number(2, COMPARE_EQUAL_ON_MOD).text(3, key).number(6, modRevision)
    writer.message(1, one)
  }
  for (const op of success) writer.message(2, encodeOp(op))
  for (const op of failure) writer.message(3, encodeOp(op))
  return writer
}

function encodeOp(op: RequestOp): ProtoWriter {
  const [union, inner] = [new ProtoWriter(), new ProtoWriter()]
  if (op.op === 'range') return union.message(1, inner.text(1, op.key).number(8, 1))
  if (op.op === 'delete') return union.message(3, inner.text(1, op.key))
  if (op.op === 'txn') return union.message(4, encodeTxn({ compare: [], success: op.success, failure: [] }))
  inner.text(1, op.key).text(2, op.value)
  if (op.lease !== undefined) inner.bigint(3, op.lease)
  return union.message(2, inner)
}

export function encodeWatchCreate({ key, end }: KeyRange, startRevision: number): ProtoWriter {
  const create = new ProtoWriter().text(1, key)
  if (end !== undefined) create.text(2, end)
  return new ProtoWriter().message(1, create.number(3, startRevision).number(8, 1))
}

export function encodeLeaseGrant(id: bigint, ttlSeconds: number): ProtoWriter {
  return new ProtoWriter().number(1, ttlSeconds).bigint(2, id)
}

/** For revoking, keeping alive and asking for what is left. */
export function encodeLeaseId(id: bigint): ProtoWriter {
  return new ProtoWriter().bigint(1, id)
}

export function encodeCompaction(revision: number): ProtoWriter {
  return new ProtoWriter().number(1, revision)
}

export function encodeAuthenticate(user: string, password: string): ProtoWriter {
  return new ProtoWriter().text(1, user).text(2, password)
}

export function decodeRange(bytes: Buffer): RangeAnswer {
  const kvs: KeyValue[] = []
  let revision = 0
  for (const reader of fields(bytes)) {
    if (reader.field === 1) revision = headerRevision(reader.in.bytes())
    else if (reader.field === 2) kvs.push(decodeKeyValue(reader.in.bytes()))
    else reader.in.skip()
  }
  return { revision, kvs }
}

export function decodeTxn(bytes: Buffer): TxnAnswer {
  const ranges: number[] = []
  let revision = 0
  let succeeded = false
  for (const reader of fields(bytes)) {
    if (reader.field === 1) revision = headerRevision(reader.in.bytes())
    else if (reader.field === 2) succeeded = reader.in.number() === 1
    else if (reader.field === 3) ranges.push(...rangeRevision(reader.in.bytes()))
    else reader.in.skip()
  }
  return { revision, succeeded, ranges }
}

export function decodeWatch(bytes: Buffer): WatchAnswer {
  const answer = { created: false, canceled: false, compactRevision: 0, cancelReason: '', fragment: false }
  const events: WatchEvent[] = []
  for (const reader of fields(bytes)) {
    if (reader.field === 3) answer.created = reader.in.number() === 1
    else if (reader.field === 4) answer.canceled = reader.in.number() === 1
    else if (reader.field === 5) answer.compactRevision = reader.in.number()
    else if (reader.field === 6) answer.cancelReason = reader.in.text()
    else if (reader.field === 7) answer.fragment = reader.in.number() === 1
    else if (reader.field === 11) events.push(decodeEvent(reader.in.bytes()))
    else reader.in.skip()
  }
  return { ...answer, events }
}

/** Seconds that are left; 0 or less for a lease that has ended. For keeping alive and for asking. */
export function decodeTtl(bytes: Buffer): number {
  let ttl = 0
  for (const reader of fields(bytes)) {
    if (reader.field === 3) ttl = Number(reader.in.bigint())
    else reader.in.skip()
  }
  return ttl
}

/** How many leases the whole etcd holds. */
export function decodeLeaseCount(bytes: Buffer): number {
  let count = 0
  for (const reader of fields(bytes)) {
    if (reader.field === 2) count++
    reader.in.skip()
  }
  return count
}

export function decodeToken(bytes: Buffer): string {
  let token = ''
  for (const reader of fields(bytes)) {
    if (reader.field === 2) token = reader.in.text()
    else reader.in.skip()
  }
  return token
}

export interface MemberStatus {
  readonly version: string
  readonly dbBytes: number
  readonly hasLeader: boolean
  readonly isLeader: boolean
  readonly revision: number
}

export function decodeStatus(bytes: Buffer): MemberStatus {
  let [version, dbBytes, leader, member, revision] = ['', 0, 0n, 0n, 0]
  for (const reader of fields(bytes)) {
    if (reader.field === 1) {
      const header = reader.in.bytes()
      revision = headerRevision(header)
      member = headerMember(header)
    } else if (reader.field === 2) version = reader.in.text()
    else if (reader.field === 3) dbBytes = reader.in.number()
    else if (reader.field === 4) leader = reader.in.bigint()
    else reader.in.skip()
  }
  return { version, dbBytes, hasLeader: leader !== 0n, isLeader: leader !== 0n && leader === member, revision }
}

function decodeEvent(bytes: Buffer): WatchEvent {
  let isDelete = false
  let kv: KeyValue = { key: '', value: '', modRevision: 0, lease: 0n }
  for (const reader of fields(bytes)) {
    if (reader.field === 1) isDelete = reader.in.number() === 1
    else if (reader.field === 2) kv = decodeKeyValue(reader.in.bytes())
    else reader.in.skip()
  }
  return { isDelete, kv }
}

function decodeKeyValue(bytes: Buffer): KeyValue {
  let [key, value, modRevision, lease] = ['', '', 0, 0n]
  for (const reader of fields(bytes)) {
    if (reader.field === 1) key = reader.in.text()
    else if (reader.field === 3) modRevision = reader.in.number()
    else if (reader.field === 5) value = reader.in.text()
    else if (reader.field === 6) lease = reader.in.bigint()
    else reader.in.skip()
  }
  return { key, value, modRevision, lease }
}

/** The answer to one operation of a transaction: something only for a range. */
function rangeRevision(bytes: Buffer): readonly number[] {
  for (const reader of fields(bytes)) {
    if (reader.field === 1) return [decodeRange(reader.in.bytes()).kvs[0]?.modRevision ?? 0]
    reader.in.skip()
  }
  return []
}

function headerRevision(bytes: Buffer): number {
  for (const reader of fields(bytes)) {
    if (reader.field === 3) return reader.in.number()
    reader.in.skip()
  }
  return 0
}

function headerMember(bytes: Buffer): bigint {
  for (const reader of fields(bytes)) {
    if (reader.field === 2) return reader.in.bigint()
    reader.in.skip()
  }
  return 0n
}

/** Steps through the fields of a message; what is yielded is to be read or skipped before the next. */
function* fields(bytes: Buffer): Iterable<{ readonly field: number; readonly in: ProtoReader }> {
  const reader = new ProtoReader(bytes)
  for (let field = reader.next(); field !== 0; field = reader.next()) yield { field, in: reader }
}
