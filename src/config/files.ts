import { z } from 'zod'
import { isName } from '../core/keys.ts'
import { ACK_LEVELS } from '../core/push/ack.ts'
import { LOG_LEVELS } from '../lib/log.ts'
import { address, bandwidth, baseUrl, duration, path } from './units.ts'

const NAME = 'a tree has a name of 1 to 64 of a-z 0-9 . _ -, starting and ending with a letter or digit'
const treeName = z.string({ error: NAME }).refine(isName, { error: NAME })

const child = z.strictObject({
  url: baseUrl().describe('of the file service there; with the name of the tree behind it, where that is another'),
  keyFile: path().optional().describe('file that holds the key shown to it, which there says `KEY parent TREE`'),
  caFile: path()
    .optional()
    .describe('certificates in PEM that the child’s own is checked against, instead of the system’s'),
})

const tree = z.strictObject({
  folder: path().describe('folder that is served under this name'),
  readOnly: z.boolean().default(false).describe('nobody may write to this tree, whatever their credentials say'),
  children: z
    .union([z.array(child).max(1000), z.literal('cluster')])
    .default([])
    .describe(
      'file services that get all that is written to this tree; `cluster`, in an agent: all nodes of the cluster where `fed` or `elected` says so',
    ),
  fed: z
    .literal('cluster')
    .optional()
    .describe('in an agent: any node of the cluster may feed this tree, with the key that the nodes share'),
  elected: z
    .boolean()
    .default(false)
    .describe('in an agent: one of several roots; of the nodes that say so one takes the writes of this tree'),
  ack: z
    .enum(ACK_LEVELS)
    .default('local')
    .describe('how far a write must have come before it is answered, where the request does not say'),
  keepCopies: z.boolean().default(false).describe('keep what was not here and was read from a child'),
  relay: z
    .boolean()
    .default(false)
    .describe('children pass on to each other what they get, so that each byte leaves this node about once'),
})

/** First part of a path within nginx, without slashes. */
const prefix = z.string().regex(/^[\w.-]{1,64}$/, { error: 'takes one part of a path, such as flotilla' })
const DOMAIN = 'takes a host name, such as files.example.org'

/** Everything that a file service can be told, be it alone or inside an agent. */
const settings = z.strictObject({
  listen: address().prefault('127.0.0.1:8480').describe('address and port at which files are served'),
  publicUrl: baseUrl().optional().describe('how others reach it; made of `listen` when not set'),
  trees: z.record(treeName, tree).default({}),
  state: path()
    .optional()
    .describe('folder of the index and of what is known of each file; outside of the trees, one for each service'),
  apiKeyFile: path()
    .optional()
    .describe('file of keys (`apikey=`): KEY [read|write|parent] [TREE[/PREFIX] …], one a line'),
  s3CredentialsFile: path()
    .optional()
    .describe('file of S3 credentials: ACCESS:SECRET [read|write] [TREE[/PREFIX] …], one a line, or an AWS file'),
  readOnly: z.boolean().default(false).describe('nobody may write anything'),
  openReads: z.boolean().default(false).describe('anybody may read, although there are keys'),
  openJson: z.boolean().default(false).describe('anybody may read *.json, as Open-Meteo’s servers have it'),
  openWrites: z.boolean().default(false).describe('anybody may write; on a loopback address only'),
  root: z.boolean().default(false).describe('nobody feeds the trees of this node: it takes writes itself'),
  catchUpRate: bandwidth()
    .default('20M')
    .describe('how fast children are brought up to date that were away: bytes a second, or a timetable'),
  ackTimeout: duration({ min: '1s', max: '1h' })
    .prefault('30s')
    .describe('how long an answer waits for the children, where the request does not say'),
  domain: z
    .string()
    .regex(/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/, { error: DOMAIN })
    .optional()
    .describe('trees are host names below this one as well: http://TREE.DOMAIN/KEY'),
  sendfilePrefix: prefix
    .optional()
    .describe('large files are handed to the nginx in front, by X-Accel-Redirect below this internal location'),
  nginxSocket: path()
    .optional()
    .describe(
      'Unix socket for the nginx in front, which hands over there what is put here as files that it has written',
    ),
})

/** The section of an agent. */
export const files = settings.superRefine((told, context) => {
  for (const [name, { children, fed, elected, readOnly }] of Object.entries(told.trees)) {
    const refuse = (message: string): void =>
      context.addIssue({ code: 'custom', path: ['trees', name, elected ? 'elected' : 'fed'], message })
    if (elected && told.root) refuse('`root` is for the only root of a tree, not for one of several')
    if (elected && (readOnly || told.readOnly)) refuse('a root is written to, and `readOnly` is set')
    if (fed !== undefined && told.root) refuse('nobody feeds a node with `root`')
    if (fed !== undefined && children === 'cluster' && !elected)
      refuse('of nodes that all feed each other each has to say `elected: true`')
  }
})

/** A file service of its own. */
export const filesSchema = settings
  .extend({
    logLevel: z.enum(LOG_LEVELS).default('info').describe('how much is logged'),
  })
  .superRefine(({ trees }, context) => {
    for (const [name, { children, fed, elected }] of Object.entries(trees)) {
      const wrong = { elected, fed: fed !== undefined, children: children === 'cluster' }
      for (const [setting, isSet] of Object.entries(wrong)) {
        const message = 'it is for the `files` of an agent, which is part of a cluster: this file service is alone'
        if (isSet) context.addIssue({ code: 'custom', path: ['trees', name, setting], message })
      }
    }
  })

export type FilesConfig = z.output<typeof settings>
