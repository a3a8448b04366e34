import type { FastifyReply } from 'fastify'
import { z } from 'zod'
import { isError } from '../../core/errors.ts'
import { formatScope, parseScope } from '../../core/scope.ts'
import type { HubContext } from '../context.ts'
import { createJoinCode, joinNode } from '../join.ts'
import { sourceScopes } from '../node-scopes.ts'
import { refuseWhileLocked } from '../rate-limit.ts'
import { type Route, route } from '../route.ts'
import { zName } from '../schemas/common.ts'
import { zProfileTokenRequest } from '../schemas/profiles.ts'
import {
  zCreateTokenAnswer,
  zCreateTokenRequest,
  zJoinAnswer,
  zJoinCodeAnswer,
  zJoinCodeRequest,
  zJoinRequest,
  zTokenInfo,
  zTokensAnswer,
} from '../schemas/tokens.ts'
import { createProfileToken } from '../profile-tokens.ts'
import { checkCovers, createToken, listTokens, revokeToken } from '../tokens.ts'

const EVERYBODY = '*'

export const tokenRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/whoami',
    id: 'whoami',
    summary: 'The token that asks, and what it may do',
    access: 'token',
    answer: zTokenInfo,
    handler: async (_hub, { caller }) => {
      const { id, label, scopes, createdAtMs, expiresAtMs, node, profile } = caller
      return {
        id,
        label,
        scopes: scopes.map((scope) => formatScope(scope)),
        createdAtMs,
        expiresAtMs,
        node,
        profile,
      }
    },
  }),
  route({
    method: 'GET',
    url: '/v1/tokens',
    id: 'listTokens',
    summary: 'All tokens, without their secrets',
    access: ['read:token/'],
    answer: zTokensAnswer,
    handler: async ({ store, uses }) => {
      const known = await uses.all()
      return { tokens: await listTokens(store, (id) => known.get(id)) }
    },
  }),
  route({
    method: 'POST',
    url: '/v1/tokens',
    id: 'createToken',
    summary: 'Makes a token, with at most the rights and the time of the one that asks',
    details: 'The only answer that ever holds the token itself.',
    access: ['write:token/'],
    body: zCreateTokenRequest,
    answer: zCreateTokenAnswer,
    status: 201,
    handler: async ({ store, clock, log }, { body, caller }) => {
      const answer = await createToken(store, clock, body, caller)
      log.info('token made', { id: answer.id, label: answer.label, scopes: answer.scopes, by: caller.id })
      return answer
    },
  }),
  route({
    method: 'POST',
    url: '/v1/profiles/:name/token',
    id: 'createProfileToken',
    summary: 'Makes a token for one profile, or for some of its params, that ends by itself',
    details:
      'A node makes one for each profile that an operator gave it, for a day at most; an operator with `write:token/` ' +
      'for any that their own token covers. Its use is noted: how often, when last and from where.',
    access: 'token',
    params: z.strictObject({ name: zName }),
    body: zProfileTokenRequest,
    answer: zCreateTokenAnswer,
    status: 201,
    handler: async (hub, { params, body, caller }) => {
      const answer = await createProfileToken(hub, params.name, body, caller)
      hub.log.info('token made', { id: answer.id, label: answer.label, scopes: answer.scopes, by: caller.id })
      return answer
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/tokens/:id',
    id: 'revokeToken',
    summary: 'Ends a token at once, with the watches and uploads it has open',
    access: ['write:token/{id}'],
    params: z.strictObject({ id: z.string().regex(/^[0-9a-f]{16}$/) }),
    status: 204,
    handler: async ({ store, tokens, log }, { params, caller }) => {
      for (const id of await revokeToken(store, params.id)) tokens.end(id)
      log.info('token revoked', { id: params.id, by: caller.id })
      return undefined
    },
  }),
  route({
    method: 'POST',
    url: '/v1/join-codes',
    id: 'createJoinCode',
    summary: 'Makes a code with which one node can join, once, in the next minutes',
    details:
      'With `sources` the node may make releases of these trees, and bring what is in them: for that the one who asks must be ' +
      'allowed to do so too.',
    access: ['write:join/'],
    body: zJoinCodeRequest,
    answer: zJoinCodeAnswer,
    status: 201,
    handler: async ({ store, clock, limits, log }, { body, caller }) => {
      const sources = body?.sources
      const scopes = sourceScopes(sources ?? []).map((scope) => parseScope(scope))
      checkCovers(caller, scopes)
      const options = { ttlMs: limits.joinCodeMs, codesMax: limits.joinCodes, sources }
      const { code, expiresAtMs } = await createJoinCode({ store, clock }, options)
      log.info('join code made', { by: caller.id, sources })
      return { code: code.reveal(), expiresAtMs }
    },
  }),
  route({
    method: 'POST',
    url: '/v1/join',
    id: 'join',
    summary: 'Trades a join code for the credential of a node',
    details: 'The code is the credential, and is used up. Wrong codes lock out the address they come from for a while.',
    access: 'public',
    body: zJoinRequest,
    answer: zJoinAnswer,
    status: 201,
    handler: async (hub, { body, request, reply }) => {
      const { store, clock, tokens, log } = hub
      const attempt = admit(hub, request.ip, reply)
      try {
        const { node, token, ended } = await joinNode({ store, clock }, body)
        attempt.forgive()
        if (ended !== undefined) tokens.end(ended)
        log.info('node joined', { node, replaced: ended !== undefined, from: request.ip })
        return { node, token }
      } catch (error) {
        if (!isError(error, 'UNAUTHENTICATED')) attempt.forgive()
        else log.warn('wrong join code', { from: request.ip })
        throw error
      }
    },
  }),
]

/** Counts an attempt to join before its code is looked at, so that many at once count too. */
function admit({ joins, joinsByAddress }: HubContext, address: string, reply: FastifyReply): { forgive(): void } {
  refuseWhileLocked(joinsByAddress.attempt(address) || joins.attempt(EVERYBODY), 'too many wrong join codes', reply)
  return {
    forgive: () => {
      joinsByAddress.forgive(address)
      joins.forgive(EVERYBODY)
    },
  }
}
