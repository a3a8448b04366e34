import { isError, messageOf } from '../../../core/errors.ts'
import type { Op } from '../../../core/op.ts'
import type { TargetError } from '../../../core/target.ts'
import { type GeoServerClient, refusal } from './client.ts'

/** What the running GeoServer of this node says of itself. */
export type Application =
  /** Nothing answers. */
  | { readonly is: 'down'; readonly why: string }
  /** It answers, but not to this user. */
  | { readonly is: 'refused'; readonly error: TargetError }
  /** It answers, but its configuration is locked: as a rule a reload is under way. */
  | { readonly is: 'busy'; readonly version: string }
  | { readonly is: 'up'; readonly version: string; readonly updateSequence: number }

/** Version first, which is behind no lock; then the settings, which are. A GeoServer that is down is an answer. */
export async function look(client: GeoServerClient, op: Op): Promise<Application> {
  let version: string | undefined
  try {
    version = await versionOf(client, op)
    const updateSequence = await sequenceOf(client, op)
    return updateSequence === undefined ? { is: 'busy', version } : { is: 'up', version, updateSequence }
  } catch (error) {
    op.signal?.throwIfAborted()
    if (isError(error, 'UNAUTHENTICATED', 'FORBIDDEN', 'NOT_FOUND', 'INSECURE_FILE', 'TOO_LARGE')) {
      const { code, message, details } = error
      return { is: 'refused', error: { code, message, ...(details.hint !== undefined && { hint: details.hint }) } }
    }
    return version === undefined ? { is: 'down', why: messageOf(error) } : { is: 'busy', version }
  }
}

/** Rejects as a call does, and where what answers is no GeoServer. */
export async function versionOf(client: GeoServerClient, op: Op): Promise<string> {
  const call = { method: 'GET', path: '/rest/about/version.json' } as const
  const answer = await client.call(call, op)
  if (answer.status !== 200) throw refusal(call, answer)
  const about = parsed(answer.text) as { about?: { resource?: readonly Record<string, unknown>[] } } | undefined
  const own = about?.about?.resource?.find((each) => each['@name'] === 'GeoServer')
  const version = own?.['Version']
  // One such as 3.0 arrives as a number.
  return typeof version === 'string' || typeof version === 'number' ? `${version}`.slice(0, 40) : ''
}

/** Undefined while it answers with errors: `ServiceInfo is null` is what a reload looks like from outside. */
async function sequenceOf(client: GeoServerClient, op: Op): Promise<number | undefined> {
  const call = { method: 'GET', path: '/rest/settings.json' } as const
  const answer = await client.call(call, op)
  if (answer.status >= 500) return undefined
  if (answer.status !== 200) throw refusal(call, answer)
  const told = parsed(answer.text) as { global?: { updateSequence?: unknown } } | undefined
  return Number(told?.global?.updateSequence ?? 0)
}

/** Names of the modules of GeoServer that are there, such as `gs-css`, sorted. Each has a jar, named with its version behind. */
export async function modulesOf(client: GeoServerClient, op: Op = {}): Promise<readonly string[]> {
  const call = { method: 'GET', path: '/rest/about/manifest.xml' } as const
  const answer = await client.call(call, op)
  if (answer.status !== 200) throw refusal(call, answer)
  const names = [...answer.text.matchAll(/<resource name="(gs-[\w-]+?)-\d[^"]*"/g)].map(([, name = '']) => name)
  return [...new Set(names)].toSorted()
}

/** `2.26` of `2.26.2`; whatever the rest of it says. */
export function minorOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
