import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import { noProfile } from '../../core/profile/edit.ts'
import type { Json } from '../../core/json-patch/json.ts'
import type { ProfileChange } from '../../core/profile/change.ts'
import type { Known } from '../../core/profile/profile.ts'
import { profileAt, readHistory } from '../../profiles/history.ts'
import type { HubContext } from '../context.ts'
import { checkReadSome, checkWrite, mayReadSome, seen } from '../profile-access.ts'
import { changeProfile, changeProfiles, isUnchanged } from '../profile-changes.ts'
import { PATCH_TYPES, type Route, route } from '../route.ts'
import { zName, zNumberText } from '../schemas/common.ts'
import {
  zChangeAnswer,
  zContents,
  zNewProfile,
  zProfileAnswer,
  zProfileHistoryAnswer,
  zProfilesAnswer,
  zTransaction,
  zTransactionAnswer,
} from '../schemas/profiles.ts'

export const zNamed = z.strictObject({ name: zName })
const zVersioned = z.strictObject({ name: zName, version: zNumberText })

const WRITE_ACCESS =
  'write on what is changed, such as `write:profile/{name}` or `write:profile/{name}/params/KEY`; read on what is compared'
const LOSER =
  'Somebody who loses a race is told in `error.conflict` what is there now; nothing is tried again behind their back. ' +
  'A request with an `Idempotency-Key` that comes again is told the first answer.'

/** Shared state. What a token may see and do of it is decided place by place: see `profile-access.ts`. */
export const profileRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/profiles',
    id: 'listProfiles',
    summary: 'All profiles that the token may read something of, without their params',
    access: 'token',
    answer: zProfilesAnswer,
    handler: async ({ profiles }, { caller }) => {
      const readable = (await profiles.list()).filter(({ profile }) => mayReadSome(caller, profile.name))
      return {
        profiles: readable.map((known) => {
          const { name, version, revision, description, meta, profiles: named, params } = seen(caller, known)
          return { name, version, revision, description, meta, profiles: named, params: Object.keys(params).length }
        }),
      }
    },
  }),
  route({
    method: 'POST',
    url: '/v1/profiles',
    id: 'createProfile',
    summary: 'Makes a profile; of several that make one of the same name, one does',
    details: LOSER,
    access: {
      says: '`write:profile/{name}`',
      check: (caller, { body }) => checkWrite(caller, (body as { name: string }).name),
    },
    body: zNewProfile,
    answer: zChangeAnswer,
    status: 201,
    handler: async (hub, call) => {
      const { name, ...contents } = call.body
      return changeProfile(hub, { op: 'create', profile: name, ...contents }, call)
    },
  }),
  route({
    method: 'GET',
    url: '/v1/profiles/:name',
    id: 'getProfile',
    summary: 'A profile, as much of it as the token may read',
    details: 'Its revision is the `ETag`: `If-None-Match` with it is answered 304 while nothing has changed.',
    access: {
      says: '`read:profile/{name}`, or something in it',
      check: (caller, { params }) => checkReadSome(caller, (params as { name: string }).name),
    },
    params: zNamed,
    answer: zProfileAnswer,
    handler: async (hub, call) => {
      const known = await existing(hub, call.params.name)
      return isUnchanged(call, known.revision) ? undefined : seen(call.caller, known)
    },
  }),
  route({
    method: 'PUT',
    url: '/v1/profiles/:name',
    id: 'putProfile',
    summary: 'Puts a profile in place of the one there is, if any; with `If-None-Match: *` only where there is none',
    details: LOSER,
    access: ['write:profile/{name}'],
    params: zNamed,
    body: zContents,
    answer: zChangeAnswer,
    handler: async (hub, call) => {
      const { name = call.params.name, ...contents } = call.body
      if (name !== call.params.name) throw new FlotillaError('BAD_REQUEST', 'the profile is called something else')
      return changeProfile(hub, { op: 'put', profile: name, ...contents }, call)
    },
  }),
  route({
    method: 'PATCH',
    url: '/v1/profiles/:name',
    id: 'patchProfile',
    summary: 'Changes a profile by JSON Patch (RFC 6902) or JSON Merge Patch (RFC 7396), all of it or nothing',
    details: LOSER,
    access: { says: WRITE_ACCESS, check: () => undefined },
    takesPatches: true,
    params: zNamed,
    body: z.unknown(),
    answer: zChangeAnswer,
    handler: async (hub, call) =>
      changeProfile(
        hub,
        { profile: call.params.name, ...patchIn(call.request.headers['content-type'], call.body) },
        call,
      ),
  }),
  route({
    method: 'DELETE',
    url: '/v1/profiles/:name',
    id: 'deleteProfile',
    summary: 'Removes a profile; its last state stays in its history',
    access: ['write:profile/{name}'],
    params: zNamed,
    answer: zChangeAnswer,
    handler: async (hub, call) => changeProfile(hub, { op: 'delete', profile: call.params.name }, call),
  }),
  route({
    method: 'GET',
    url: '/v1/profiles/:name/history',
    id: 'profileHistory',
    summary: 'The changes of a profile, newest first: what, when and whose',
    access: ['read:profile/{name}'],
    params: zNamed,
    answer: zProfileHistoryAnswer,
    handler: async ({ store }, { params }) => {
      const records = await readHistory(store, params.name)
      const changes = records.map(({ version, atMs, by, op, patch, deleted }) => {
        const ops = patch as unknown as readonly Json[]
        return { version, atMs, by, op, patch: ops, deleted }
      })
      return { profile: params.name, changes }
    },
  }),
  route({
    method: 'GET',
    url: '/v1/profiles/:name/history/:version',
    id: 'profileAt',
    summary: 'A profile as it was at a version',
    access: ['read:profile/{name}'],
    params: zVersioned,
    answer: zProfileAnswer,
    handler: async ({ store }, { params }) => {
      const profile = await profileAt(store, params.name, params.version)
      // A revision belongs to what is there now.
      return { ...profile, revision: 0 }
    },
  }),
  route({
    method: 'POST',
    url: '/v1/transactions',
    id: 'transact',
    summary: 'Changes any number of profiles, all of it or nothing',
    details: `${LOSER} \`ref\` is what the caller saw; \`ifRevision\` is \`If-Match\` for one profile.`,
    access: { says: WRITE_ACCESS, check: () => undefined },
    body: zTransaction,
    answer: zTransactionAnswer,
    handler: async (hub, call) => changeProfiles(hub, call.body.operations, call),
  }),
]

export async function existing({ profiles }: HubContext, name: string): Promise<Known> {
  const known = await profiles.get(name)
  if (known === undefined) throw noProfile(name)
  return known
}

/** Plain JSON is taken for a JSON Patch. Throws `BAD_REQUEST` for a body that is no patch of its type. */
export function patchIn(type = '', body: unknown): Extract<ProfileChange, { op: 'patch' | 'merge' }> {
  const isMerge = type.startsWith(PATCH_TYPES[1])
  if (isMerge) return { op: 'merge', merge: (body ?? null) as Json }
  if (Array.isArray(body)) return { op: 'patch', patch: body as readonly Json[] }
  throw new FlotillaError('BAD_REQUEST', 'a JSON Patch is a list of operations', {
    hint: `An object that is to be merged is sent as ${PATCH_TYPES[1]}.`,
  })
}
