import type { CreateTokenAnswer } from '../core/api.ts'
import type { ProfileTokenRequest } from '../core/api-profiles.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import { nodeProfile } from '../core/profile/profile.ts'
import { allows, formatScope, type Scope } from '../core/scope.ts'
import type { Caller } from './caller.ts'
import type { HubContext } from './context.ts'
import { placeKey } from './profile-access.ts'
import { checkCovers, issueToken } from './tokens.ts'

const HOUR_MS = 3_600_000
const TTL_MS = 2 * HOUR_MS
const NODE_TTL_MS = 24 * HOUR_MS

/**
 * Makes a token for one profile. Throws `FORBIDDEN` unless `by` is the credential of a node that has the profile, or may
 * make tokens and do itself what the new one may; `BAD_REQUEST` for more time than a node may give; `NOT_FOUND`.
 */
export async function createProfileToken(
  { store, clock, profiles }: HubContext,
  profile: string,
  { label, verbs = ['read'], params, ttlMs = TTL_MS }: ProfileTokenRequest,
  by: Caller,
): Promise<CreateTokenAnswer> {
  const scopes = verbs.flatMap((verb) => placesOf(verb, profile, params).map((prefix): Scope => ({ verb, prefix })))
  const isOperator = allows(by.scopes, 'write', keys.tokens)
  if (isOperator) checkCovers(by, scopes)
  else await checkHas(profiles, by, profile)
  if ((await profiles.get(profile)) === undefined)
    throw new FlotillaError('NOT_FOUND', `there is no profile ${profile}`)
  if (!isOperator && ttlMs > NODE_TTL_MS) {
    throw new FlotillaError('BAD_REQUEST', 'a node makes tokens for a day at most')
  }
  return issueToken(store, clock, {
    label: label ?? `${profile} for ${by.label}`.slice(0, 100),
    scopes: scopes.map((scope) => formatScope(scope)),
    expiresAtMs: Math.min(clock.nowMs() + ttlMs, by.expiresAtMs ?? Infinity),
    profile,
    ...(by.node !== undefined && { madeBy: by.node }),
  })
}

/** All that can be read; of what can be written, params and meta: not which profiles count, and not its end. */
function placesOf(verb: Scope['verb'], profile: string, params: readonly string[] | undefined): readonly string[] {
  if (params !== undefined) return params.map((param) => placeKey(profile, ['params', param]))
  return verb === 'read' ? [placeKey(profile, [])] : [placeKey(profile, ['params']), placeKey(profile, ['meta'])]
}

async function checkHas(profiles: HubContext['profiles'], { node }: Caller, profile: string): Promise<void> {
  const own = node === undefined ? undefined : nodeProfile(node)
  if (own === profile) return
  if (own !== undefined && (await profiles.get(own))?.profile.profiles.includes(profile) === true) return
  throw new FlotillaError('FORBIDDEN', `your token may not make one for ${profile}`, {
    hint:
      own === undefined
        ? 'It would need the scope write:token/'
        : `An operator gives the node that profile: it then stands in \`profiles\` of ${own}.`,
  })
}
