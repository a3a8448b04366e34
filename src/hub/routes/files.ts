import { z } from 'zod'
import type { ReleaseAnswer } from '../../core/api.ts'
import { sha256 } from '../../lib/hash.ts'
import { readBody } from '../../lib/http.ts'
import { safePath } from '../../lib/safe-path.ts'
import type { FilesChange } from '../../releases/releases.ts'
import { bodyOf } from '../broken-requests.ts'
import type { HubContext } from '../context.ts'
import { type Call, type Route, route } from '../route.ts'
import { zFlagText, zMessage, zName } from '../schemas/common.ts'
import { zReleaseAnswer } from '../schemas/releases.ts'

const zParams = z.strictObject({ tree: zName, '*': z.string() })
const zQuery = z.strictObject({
  message: zMessage.optional(),
  kind: zName.optional(),
  confirmRemoval: zFlagText.optional(),
})
type FileCall = Call<z.output<typeof zParams>, z.output<typeof zQuery>, unknown>

/** One file at a time: a release of the current tree with that file changed. */
export const fileRoutes: readonly Route[] = [
  route({
    method: 'PUT',
    url: '/v1/trees/:tree/files/*',
    id: 'putFile',
    summary: 'Releases the tree with one file new or changed',
    details: 'The body is the file. `kind` is needed only for the first release of a tree.',
    access: ['write:release/{tree}'],
    takesBytes: true,
    params: zParams,
    query: zQuery,
    answer: zReleaseAnswer,
    handler: async (hub, call) => {
      const path = safePath(call.params['*'])
      const { blobs, limits } = hub
      const content = await readBody(bodyOf(call.request.raw, call.caller.ended), limits.fileBytes)
      const file = { path, size: content.byteLength, sha256: sha256(content) }
      await blobs.put(file.sha256, content, { limitBytes: limits.fileBytes })
      return change(hub, call, { put: [file] }, `put ${path}`)
    },
  }),
  route({
    method: 'DELETE',
    url: '/v1/trees/:tree/files/*',
    id: 'deleteFile',
    summary: 'Releases the tree without one file',
    access: ['write:release/{tree}'],
    params: zParams,
    query: zQuery.omit({ kind: true }),
    answer: zReleaseAnswer,
    handler: async (hub, call) => {
      const path = safePath(call.params['*'])
      return change(hub, call, { delete: [path] }, `delete ${path}`)
    },
  }),
]

async function change(
  { releases }: HubContext,
  { params, query, caller }: FileCall,
  files: FilesChange,
  fallback: string,
): Promise<ReleaseAnswer> {
  const { message = fallback, ...options } = query
  return releases.putFiles(params.tree, { ...files, ...options }, message, caller.label)
}
