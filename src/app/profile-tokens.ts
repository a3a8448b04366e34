import type { CreateTokenAnswer } from '../core/api.ts'
import type { ProfileParamsAnswer, ProfileTokenRequest } from '../core/api-profiles.ts'
import type { JsonObject } from '../core/json-patch/json.ts'
import type { Op } from '../core/op.ts'
import { nodeProfile } from '../core/profile/profile.ts'
import { apiPath, type HubConnection } from '../lib/hub-connection.ts'
import type { TokenBookOptions } from '../templates/tokens.ts'
import { Secret } from '../lib/secret.ts'

/** Tokens for profiles, as the hub makes them for whoever has this token. */
export function profileTokens(hub: HubConnection, label: string): TokenBookOptions['mint'] {
  return async ({ profile, ttlSeconds, params }, op) => {
    const json: ProfileTokenRequest = {
      label,
      verbs: ['read', 'write'],
      ttlMs: ttlSeconds * 1000,
      ...(params.length > 0 && { params }),
    }
    const path = apiPath(['profiles', profile, 'token'])
    const { id, token } = await hub.json<CreateTokenAnswer>({ method: 'POST', path, json, ...op })
    return { id, token: new Secret(token) }
  }
}

/** All params that count for a node, of whichever profiles: only its own credential may ask for them. */
export function effectiveParams(hub: HubConnection, node: string): (op: Op) => Promise<JsonObject> {
  const path = apiPath(['profiles', nodeProfile(node), 'params'], { aggregate: 'true' })
  return async (op) => (await hub.json<ProfileParamsAnswer>({ method: 'GET', path, ...op })).params
}
