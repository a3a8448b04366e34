import { z } from 'zod'
import { FlotillaError } from '../../core/errors.ts'
import { planFor } from '../plan.ts'
import { type Route, route } from '../route.ts'
import { zItem, zName, zNumberText } from '../schemas/common.ts'
import {
  zActiveRequest,
  zDiffAnswer,
  zHistoryAnswer,
  zItemsAnswer,
  zReleaseAnswer,
  zReleaseRecord,
  zReleaseRequest,
  zRescanRequest,
  zRollbackRequest,
} from '../schemas/releases.ts'
import { zReloadAnswer, zReloadRequest } from '../schemas/requests.ts'

const HISTORY_MAX = 1000
const HISTORY_DEFAULT = 100
/** One file of a release request: an element with path, size, sha256. */
const FILE_MEMBERS = 4

const zTree = z.strictObject({ tree: zName })
const zTreeDataset = z.strictObject({ tree: zName, id: zItem })

/** Routes that change what a tree should be. */
export const releaseRoutes: readonly Route[] = [
  route({
    method: 'POST',
    url: '/v1/trees/:tree/releases',
    id: 'release',
    summary: 'Releases a list of files whose contents the hub holds',
    details:
      'Checked as a whole first; with `dryRun` nothing is changed, and the answer says what would happen on the nodes. ' +
      '422 tells what was found; 409 that a rollout is under way.',
    access: ['write:release/{tree}'],
    limits: { bodyBytes: 'releaseBytes', members: FILE_MEMBERS },
    params: zTree,
    body: zReleaseRequest,
    answer: zReleaseAnswer,
    handler: async (hub, { params, body, caller }) => {
      const { releases, limits } = hub
      if (body.files.length > limits.releaseFiles) {
        throw new FlotillaError('TOO_LARGE', `${body.files.length} files; a release has at most ${limits.releaseFiles}`)
      }
      const answer = await releases.release(params.tree, body, caller.label)
      return body.dryRun === true ? { ...answer, plan: await planFor(hub, answer) } : answer
    },
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/rescan',
    id: 'rescan',
    summary: 'Releases what stands now in the folder that this hub follows for the tree',
    details:
      'Without it the hub looks by itself, at an interval. Answers when the folder has come to rest and was released, as it ' +
      'is: also where the same was released before and taken back since. 404 where no folder is followed.',
    access: ['write:release/{tree}'],
    params: zTree,
    body: zRescanRequest,
    answer: zReleaseAnswer,
    handler: async ({ followers, closing }, { params, body, caller }) => {
      const follower = followers.find((one) => one.status().tree === params.tree)
      if (follower !== undefined) return follower.rescan(body, caller.label, { signal: closing })
      throw new FlotillaError('NOT_FOUND', `this hub follows no folder for ${params.tree}`, {
        hint: 'Name one in `sources` of its configuration, or release a folder of yours: flotilla datasets release DIR',
      })
    },
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/rollback',
    id: 'rollback',
    summary: 'Makes a new release with the contents of an earlier one',
    access: ['write:release/{tree}'],
    params: zTree,
    body: zRollbackRequest,
    answer: zReleaseAnswer,
    handler: async ({ releases }, { params, body, caller }) => releases.rollback(params.tree, body, caller.label),
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/datasets/:id/active',
    id: 'setActive',
    summary: 'Switches a dataset on or off, over what its definition says, as a release',
    access: ['write:release/{tree}'],
    params: zTreeDataset,
    body: zActiveRequest,
    answer: zReleaseAnswer,
    handler: async ({ releases }, { params, body, caller }) =>
      releases.setActive(params.tree, params.id, body, caller.label),
  }),
  route({
    method: 'POST',
    url: '/v1/trees/:tree/requests',
    id: 'request',
    summary: 'Asks every node to reload datasets, or to clear their caches, once more',
    access: ['write:request/{tree}'],
    params: zTree,
    body: zReloadRequest,
    answer: zReloadAnswer,
    handler: async ({ releases }, { params, body, caller }) => releases.request(params.tree, body, caller.label),
  }),
]

/** Routes that tell what was released. */
export const historyRoutes: readonly Route[] = [
  route({
    method: 'GET',
    url: '/v1/trees/:tree/releases',
    id: 'history',
    summary: 'Releases of a tree, newest first',
    access: ['read:release/{tree}'],
    params: zTree,
    query: z.strictObject({ limit: zNumberText.optional() }),
    answer: zHistoryAnswer,
    handler: async ({ releases }, { params, query }) => {
      const { limit = HISTORY_DEFAULT } = query
      if (limit >= 1 && limit <= HISTORY_MAX) return releases.history(params.tree, limit)
      throw new FlotillaError('BAD_REQUEST', `the limit must be 1 to ${HISTORY_MAX}`)
    },
  }),
  route({
    method: 'GET',
    url: '/v1/trees/:tree/releases/:number',
    id: 'releaseRecord',
    summary: 'One release',
    access: ['read:release/{tree}'],
    params: z.strictObject({ tree: zName, number: zNumberText }),
    answer: zReleaseRecord,
    handler: async ({ releases }, { params }) => releases.get(params.tree, params.number),
  }),
  route({
    method: 'GET',
    url: '/v1/trees/:tree/diff',
    id: 'diff',
    summary: 'What differs between two releases; 0 is the empty tree',
    access: ['read:release/{tree}'],
    params: zTree,
    query: z.strictObject({ from: zNumberText, to: zNumberText }),
    answer: zDiffAnswer,
    handler: async ({ releases }, { params, query }) => releases.diff(params.tree, query.from, query.to),
  }),
  route({
    method: 'GET',
    url: '/v1/trees/:tree/datasets',
    id: 'items',
    summary: 'Datasets of a release; of the current one without a number',
    access: ['read:release/{tree}'],
    params: zTree,
    query: z.strictObject({ release: zNumberText.optional() }),
    answer: zItemsAnswer,
    handler: async ({ releases }, { params, query }) => releases.items(params.tree, query.release),
  }),
]
