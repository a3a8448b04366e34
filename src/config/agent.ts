import { z } from 'zod'
import { isName } from '../core/keys.ts'
import { LOG_LEVELS } from '../lib/log.ts'
import { jmsConfigSchema } from './jms.ts'
import { targets } from '../targets/registry.ts'
import { bus } from './bus.ts'
import { files } from './files.ts'
import { filesTarget } from './files-target.ts'
import { metrics } from './metrics.ts'
import { checkWay, operationsSchema } from './operations.ts'
import { proxy } from './proxies.ts'
import { sources } from './sources.ts'
import { template, whyNoProfiles } from './templates.ts'
import { address, baseUrl, baseUrls, duration, path } from './units.ts'

const NAME = 'takes a name of 1 to 64 of a-z 0-9 . _ -, starting and ending with a letter or digit'
const name = z.string({ error: NAME }).refine(isName, { error: NAME })

/** `name` and `files` have a meaning of their own. */
const valueName = z.string().regex(/^(?!(?:name|files)$)[A-Za-z][\w.-]{0,62}$/, {
  error: 'is no name of a node value, or one that Flotilla gives itself',
})

/** What the agent adds to the options of each target that takes releases. */
const added = (application: string, { shape }: typeof targets.erddap.schema | typeof targets.geoserver.schema) => ({
  stateDirectory: shape.stateDirectory
    .optional()
    .describe('Where this target keeps what it must know after a restart; a folder in `state` when not set.'),
  serveUrl: baseUrl()
    .optional()
    .describe(
      `how proxies on other machines reach this ${application}, such as http://10.0.0.7:8080; that of \`url\` when not set`,
    ),
})

const erddap = z.strictObject({
  kind: z.literal('erddap').describe('what is kept in step'),
  ...targets.erddap.schema.shape,
  ...added('ERDDAP', targets.erddap.schema),
})

const geoserver = z.strictObject({
  kind: z.literal('geoserver').describe('what is kept in step'),
  ...targets.geoserver.schema.shape,
  ...added('GeoServer', targets.geoserver.schema),
  jms: jmsConfigSchema
    .optional()
    .describe(
      'an existing JMS cluster that this GeoServer is in: what its nodes say tells the agent to look, and who did what',
    ),
  dataTree: name
    .optional()
    .describe(
      'the tree of files, pulled to this node by a target of its own, that brings the data which stores and coverages read: a change waits for it',
    ),
  shareKeystore: z
    .boolean()
    .default(false)
    .describe(
      'Give keystore and master password to nodes of the cluster that ask for them, without anybody’s word; the hub is trusted then.',
    ),
  tokenFile: path()
    .optional()
    .describe(
      'file that holds a token with which releases are made of changes on this node; that of the node when not set, which may do so if it joined with a code for sources',
    ),
})

const settings = z.strictObject({
  node: name.describe('name of this node'),
  hub: baseUrls()
    .optional()
    .describe(
      'address of the hub, or of several over one store with commas between; without one, `operations` and `sources` say what this node does',
    ),
  credentialFile: path().default('credential').describe('file that holds this node’s token, as `join` wrote it'),
  state: path().default('.').describe('folder of what the agent remembers, and of the contents it has fetched'),
  values: z
    .record(valueName, z.string())
    .default({})
    .meta({ secret: true, description: 'what `${node.NAME}` stands for on this node' }),
  sharedBlobs: path().optional().describe('folder of the hub’s blobs on shared storage, asked before the hub'),
  peerListen: address()
    .optional()
    .describe('address and port at which other nodes may fetch blobs and leave hints; nobody may when not set'),
  peerUrl: baseUrl().optional().describe('how other nodes reach `peerListen`; made of it when not set'),
  interval: duration({ min: '1s', max: '1h' })
    .prefault('30s')
    .describe('how often everything is looked at although nothing was heard'),
  lease: duration({ min: '3s', max: '1h' })
    .prefault('15s')
    .describe('after how long without a sign of life the node counts as lost'),
  bus,
  operations: operationsSchema.optional(),
  sources,
  metrics,
  logLevel: z.enum(LOG_LEVELS).default('info').describe('how much is logged'),
  targets: z.record(name, z.discriminatedUnion('kind', [erddap, geoserver, filesTarget])).default({}),
  files: files.optional(),
  proxies: z.record(name, proxy).default({}),
  templates: z.record(name, template).default({}),
})

/** Everything an agent can be told. */
export const agentSchema = settings.superRefine((told, context) => {
  for (const issue of checkWay(told)) context.addIssue({ code: 'custom', ...issue })
  for (const [name, one] of Object.entries(told.templates)) {
    const message = whyNoProfiles(one, told.hub)
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['templates', name, 'profiles'], message })
  }
})

export type AgentConfig = z.output<typeof agentSchema>

type AnyTarget = AgentConfig['targets'][string]
export type ErddapTarget = Extract<AnyTarget, { readonly kind: 'erddap' }>
export type GeoserverTarget = Extract<AnyTarget, { readonly kind: 'geoserver' }>
export type FilesTarget = Extract<AnyTarget, { readonly kind: 'files' }>

/** Those that take releases, by tree. */
export function releaseTargets({
  targets: all,
}: Pick<AgentConfig, 'targets'>): readonly (readonly [string, ErddapTarget | GeoserverTarget])[] {
  return Object.entries(all).flatMap(([tree, one]) => (one.kind === 'files' ? [] : [[tree, one] as const]))
}

/** The ERDDAPs among them. */
export function erddapTargets({
  targets: all,
}: Pick<AgentConfig, 'targets'>): readonly (readonly [string, ErddapTarget])[] {
  return Object.entries(all).flatMap(([tree, one]) => (one.kind === 'erddap' ? [[tree, one] as const] : []))
}

/** The GeoServers among them. */
export function geoserverTargets({
  targets: all,
}: Pick<AgentConfig, 'targets'>): readonly (readonly [string, GeoserverTarget])[] {
  return Object.entries(all).flatMap(([tree, one]) => (one.kind === 'geoserver' ? [[tree, one] as const] : []))
}

/** Those that pull files, by tree. */
export function filesTargets({
  targets: all,
}: Pick<AgentConfig, 'targets'>): readonly (readonly [string, FilesTarget])[] {
  return Object.entries(all).flatMap(([tree, one]) => (one.kind === 'files' ? [[tree, one] as const] : []))
}
