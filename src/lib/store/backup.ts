import { FlotillaError } from '../../core/errors.ts'
import type { Listing } from '../../core/store.ts'
import { sha256 } from '../hash.ts'

/**
 * What a store holds, at one revision, for carrying it elsewhere. Without what hangs on a lease: a lease is of one store, and what
 * was carried without it would never vanish.
 */
export interface Contents {
  readonly revision: number
  readonly entries: ReadonlyMap<string, string>
  /** How many were left behind with their leases. */
  readonly leased: number
}

const FORMAT = 'flotilla-backup/1'
const NEWLINE = 10

interface Head {
  readonly format: string
  readonly revision: number
  readonly leased: number
  readonly takenAtMs: number
}

export function contentsOf({ revision, entries }: Listing): Contents {
  const kept = entries.filter(({ leaseId }) => leaseId === undefined)
  return {
    revision,
    entries: new Map(kept.map(({ key, value }) => [key, value])),
    leased: entries.length - kept.length,
  }
}

/**
 * A backup: lines of JSON. The first says what it is, each other one is `[key, value]`, and the last holds the SHA-256 of all
 * before it, so that one that is cut short or altered is known.
 */
export function formatBackup({ revision, entries, leased }: Contents, takenAtMs: number): Buffer {
  const head: Head = { format: FORMAT, revision, leased, takenAtMs }
  const body = Buffer.from([head, ...entries].map((line) => `${JSON.stringify(line)}\n`).join(''))
  return Buffer.concat([body, Buffer.from(`${JSON.stringify({ sha256: sha256(body) })}\n`)])
}

/** Throws `CORRUPT`, or `CONFIG_INVALID` for what is no backup. */
export function parseBackup(bytes: Buffer, file: string): Contents & { readonly takenAtMs: number } {
  const head = parse(bytes.subarray(0, bytes.indexOf(NEWLINE) + 1)) as Partial<Head> | undefined
  if (head?.format !== FORMAT) {
    throw new FlotillaError('CONFIG_INVALID', `${file} is no backup that this version can read`, { file })
  }
  const end = bytes.lastIndexOf(NEWLINE, bytes.length - 2) + 1
  const last = parse(bytes.subarray(end)) as { readonly sha256?: string } | undefined
  if (last?.sha256 !== sha256(bytes.subarray(0, end))) {
    throw new FlotillaError('CORRUPT', `${file} is damaged or cut short`, { file, hint: 'Take another backup.' })
  }
  const entries = new Map<string, string>()
  for (let at = bytes.indexOf(NEWLINE) + 1; at < end;) {
    const next = bytes.indexOf(NEWLINE, at) + 1
    const [key, value] = parse(bytes.subarray(at, next)) as [string, string]
    entries.set(key, value)
    at = next
  }
  const { revision = 0, leased = 0, takenAtMs = 0 } = head
  return { revision, entries, leased, takenAtMs }
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString())
  } catch {
    return undefined
  }
}
