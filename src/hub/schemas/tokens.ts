import { z } from 'zod'
import type {
  CreateTokenAnswer,
  CreateTokenRequest,
  JoinAnswer,
  JoinCodeAnswer,
  JoinCodeRequest,
  JoinRequest,
  TokenInfo,
  TokensAnswer,
} from '../../core/api.ts'
import { hold } from './hold.ts'
import { named, zCount, zLine, zMoment, zName } from './common.ts'

const TEN_YEARS_MS = 10 * 366 * 24 * 3_600_000

const info = {
  id: z.string(),
  label: z.string(),
  scopes: z.array(z.string()),
  createdAtMs: zMoment,
  expiresAtMs: zMoment.optional(),
  node: z.string().optional(),
  profile: z.string().optional(),
  madeBy: z.string().optional(),
  use: z.object({ count: zCount, lastAtMs: zMoment, lastFrom: z.string() }).optional(),
}

export const zTokenInfo = hold<TokenInfo>()(z.object(info))
named.add(zTokenInfo, { id: 'Token' })

export const zTokensAnswer = hold<TokensAnswer>()(z.object({ tokens: z.array(zTokenInfo) }))

export const zCreateTokenRequest = hold<CreateTokenRequest>()(
  z.strictObject({
    label: zLine.min(1).max(100),
    scopes: z.array(z.string().max(300)).min(1).max(100),
    ttlMs: z.int().min(1000).max(TEN_YEARS_MS).optional(),
  }),
)
export const zCreateTokenAnswer = hold<CreateTokenAnswer>()(z.object({ ...info, token: z.string() }))

export const zJoinCodeRequest = hold<JoinCodeRequest | null | undefined>()(
  z.strictObject({ sources: z.array(zName).max(100).optional() }).nullish(),
)
export const zJoinCodeAnswer = hold<JoinCodeAnswer>()(z.object({ code: z.string(), expiresAtMs: zMoment }))
export const zJoinRequest = hold<JoinRequest>()(
  z.strictObject({ code: z.string().min(1).max(64), node: zName, replace: z.boolean().optional() }),
)
export const zJoinAnswer = hold<JoinAnswer>()(z.object({ node: z.string(), token: z.string() }))
