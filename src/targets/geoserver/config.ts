import { z } from 'zod'
import { POLICIES, ROLES } from '../../core/catalog/three-way.ts'
import { isError } from '../../core/errors.ts'
import { glob } from '../../core/sync/glob.ts'

const folder = z.string().min(1).startsWith('/', 'must be an absolute path')
const milliseconds = z.int().min(0).max(86_400_000)

const PATTERN = 'takes a path of the data directory, or a pattern such as workspaces/topp/**'
const pattern = z.string({ error: PATTERN }).refine(isPattern, { error: PATTERN })

const ELEMENT =
  'takes elements with slashes between, such as settings/proxyBaseUrl or connectionParameters/entry[@key=host]'
const element = z
  .string({ error: ELEMENT })
  .regex(/^[\w.-]+(?:\[@[\w.-]+=[^\]/]+\])?(?:\/[\w.-]+(?:\[@[\w.-]+=[^\]/]+\])?)*$/, { error: ELEMENT })

/** What a node says of the GeoServer beside it. */
export const geoserverConfigSchema = z.strictObject({
  dataDirectory: folder.describe('GeoServer’s data directory, of this node alone: no other node may write there.'),
  url: z
    .url({ protocol: /^https?$/ })
    .describe(
      'Address of this node’s own GeoServer, such as http://127.0.0.1:8080/geoserver, not of a proxy before it.',
    ),
  user: z.string().min(1).max(200).default('admin').describe('A user of GeoServer with the role of an administrator.'),
  passwordFile: folder.describe('File that holds the password of that user, readable by nobody else.'),
  stateDirectory: folder.describe('Where this target keeps what it must know after a restart. One for each GeoServer.'),
  role: z
    .enum(ROLES)
    .default('replica')
    .describe(
      'Whether changes that are made on this node become releases: all of `source` and `both`, none of `replica`.',
    ),
  foreign: z
    .array(z.strictObject({ path: pattern, policy: z.enum(POLICIES) }))
    .default([])
    .describe(
      'What becomes of changes made here, by path; the first that fits counts. Unless set, a replica reverts them, others adopt them.',
    ),
  overlay: z
    .array(z.strictObject({ path: pattern, element }))
    .default([])
    .describe('Elements that belong to each node: they are in no release, and stay as they are on this node.'),
  takeOver: z
    .boolean()
    .default(false)
    .describe(
      'At the first contact with releases, treat what only this node has as made now, instead of leaving it alone.',
    ),
  reload: z
    .enum(['drained', 'always', 'never'])
    .default('drained')
    .describe(
      'When GeoServer may read its whole catalog anew, which is an outage: while no proxy sends clients here, at once, or never.',
    ),
  reloadAbove: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(150)
    .describe('More objects than that are not changed one by one, but placed at once and read by one reload.'),
  versions: z
    .array(z.string().regex(/^\d+\.\d+$/, { error: 'takes a version such as 2.26' }))
    .default([])
    .describe('Versions of GeoServer whose releases this node takes besides those of its own.'),
  retryMs: milliseconds
    .min(100)
    .default(5000)
    .describe(
      'How long after a refusal the same is tried a second time; then after 6, 24 and each time 120 times as long.',
    ),
  timeoutMs: milliseconds.min(100).default(30_000).describe('How long one call of GeoServer’s REST may take.'),
  dataWaitMs: milliseconds
    .default(600_000)
    .describe('How long a change waits for the data that it reads, where it is known what there should be.'),
  reloadMs: milliseconds.min(1000).default(900_000).describe('How long a reload of the catalog may take.'),
})

export type GeoserverConfig = z.output<typeof geoserverConfigSchema>

function isPattern(text: string): boolean {
  try {
    return text !== '' && glob(text).text === text
  } catch (error) {
    if (isError(error)) return false
    throw error
  }
}
