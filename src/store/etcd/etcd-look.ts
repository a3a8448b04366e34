import { messageOf } from '../../core/errors.ts'
import { API } from './api.ts'
import { EtcdClient, type EtcdClientOptions } from './etcd-client.ts'
import { revisionOf } from './messages.ts'

/** What an operator wants to know of an etcd. */
export interface EtcdLook {
  readonly revision: number
  readonly members: readonly MemberLook[]
  /** `NOSPACE of 8e9e05c52164694d` */
  readonly alarms: readonly string[]
}

export interface MemberLook {
  readonly url: string
  /** Why it cannot be used; what follows is then not known. */
  readonly error?: string
  readonly version?: string
  readonly isLeader?: boolean
  readonly revision?: number
  readonly dbBytes?: number
  /** Of these, those that are in use; the rest is given back by `etcdctl defrag`. */
  readonly usedBytes?: number
  /** Where it tells: its --quota-backend-bytes. */
  readonly quotaBytes?: number
}

const MEMBER_MS = 3000

/** Asks every member by itself. */
export async function lookAt(options: EtcdClientOptions, revision: number): Promise<EtcdLook> {
  const looks = await Promise.all(options.endpoints.map(async (url) => await lookAtMember(url, options)))
  const alarms = new Set(looks.flatMap(({ alarms }) => alarms))
  return { revision, members: looks.map(({ member }) => member), alarms: [...alarms] }
}

async function lookAtMember(
  url: string,
  options: EtcdClientOptions,
): Promise<{ readonly member: MemberLook; readonly alarms: readonly string[] }> {
  const client = new EtcdClient({ ...options, endpoints: [url] })
  const signal = AbortSignal.timeout(MEMBER_MS)
  try {
    const status = await client.call(API.status, {}, { signal, isRepeatable: false })
    const { alarms } = await client.call(API.alarms, {}, { signal, isRepeatable: false })
    const quotaBytes = await quotaOf(url, signal)
    return {
      member: {
        url,
        version: status.version,
        isLeader: status.leader === status.header?.memberId,
        revision: revisionOf(status.header),
        dbBytes: Number(status.dbSize),
        usedBytes: Number(status.dbSizeInUse),
        ...(quotaBytes !== undefined && { quotaBytes }),
      },
      alarms: alarms.map(({ memberID, alarm }) => `${alarm} of ${BigInt(memberID).toString(16)}`),
    }
  } catch (error) {
    const why = signal.aborted ? `no answer within ${MEMBER_MS / 1000} s` : messageOf(error)
    return { member: { url, error: why }, alarms: [] }
  } finally {
    await client.close()
  }
}

/** Only its metrics tell. Behind TLS they are asked for with a certificate at most, so it is not known there. */
async function quotaOf(url: string, signal: AbortSignal): Promise<number | undefined> {
  if (!url.startsWith('http:')) return undefined
  try {
    const text = await (await fetch(`${url}/metrics`, { signal })).text()
    const bytes = Number(/^etcd_server_quota_backend_bytes (\S+)$/m.exec(text)?.[1])
    return bytes > 0 ? bytes : undefined
  } catch {
    return undefined
  }
}
