import { fileURLToPath } from 'node:url'
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader'
import type {
  AlarmResponse,
  AuthenticateResponse,
  LeasesResponse,
  LeaseTtlResponse,
  RangeRequest,
  RangeResponse,
  StatusResponse,
  TxnRequest,
  TxnResponse,
  WatchRequest,
  WatchResponse,
} from './messages.ts'

/** One call of etcd's API, with how its messages become bytes and back. */
export interface Rpc<Q, A> {
  /** `/etcdserverpb.KV/Range` */
  readonly path: string
  readonly requestSerialize: (request: Q) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => A
}

/** Beside the sources and beside what is built of them alike. */
const FILE = fileURLToPath(new URL('../../../protos/etcd.proto', import.meta.url))
/** Numbers of 64 bits are text: a lease is one that JavaScript's numbers cannot hold. */
const LOADED = loadSync(FILE, { longs: String, enums: String, defaults: true })

export const API = {
  range: rpc<RangeRequest, RangeResponse>('KV', 'Range'),
  txn: rpc<TxnRequest, TxnResponse>('KV', 'Txn'),
  compact: rpc<{ readonly revision: number }, unknown>('KV', 'Compact'),
  watch: rpc<WatchRequest, WatchResponse>('Watch', 'Watch'),
  leaseGrant: rpc<{ readonly ID: string; readonly TTL: number }, unknown>('Lease', 'LeaseGrant'),
  leaseRevoke: rpc<{ readonly ID: string }, unknown>('Lease', 'LeaseRevoke'),
  leaseKeepAlive: rpc<{ readonly ID: string }, LeaseTtlResponse>('Lease', 'LeaseKeepAlive'),
  leaseTimeToLive: rpc<{ readonly ID: string }, LeaseTtlResponse>('Lease', 'LeaseTimeToLive'),
  leases: rpc<object, LeasesResponse>('Lease', 'LeaseLeases'),
  authenticate: rpc<{ readonly name: string; readonly password: string }, AuthenticateResponse>('Auth', 'Authenticate'),
  status: rpc<object, StatusResponse>('Maintenance', 'Status'),
  alarms: rpc<object, AlarmResponse>('Maintenance', 'Alarm'),
} as const

/** The types are as protos/etcd.proto has the messages. */
function rpc<Q, A>(service: string, name: string): Rpc<Q, A> {
  const method = (LOADED[`etcdserverpb.${service}`] as ServiceDefinition | undefined)?.[name]
  if (method === undefined) throw new Error(`${FILE} has no ${service}/${name}`)
  return method as unknown as Rpc<Q, A>
}
