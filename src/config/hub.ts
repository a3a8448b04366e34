import { z } from 'zod'
import { isName } from '../core/keys.ts'
import { LOG_LEVELS } from '../lib/log.ts'
import { bus } from './bus.ts'
import { address, baseUrl, duration, path } from './units.ts'

const treeName = z.string().refine(isName, {
  error: 'a tree has a name of 1 to 64 of a-z 0-9 . _ -, starting and ending with a letter or digit',
})

const source = z.strictObject({
  folder: path().describe('folder to follow; it may lie on shared storage, as it is scanned'),
  kind: z.enum(['erddap']).default('erddap').describe('what the folder holds'),
  interval: duration({ min: '1s', max: '1d' }).prefault('30s').describe('how often it is scanned'),
  quarantine: z.boolean().default(false).describe('keep the last good version of files that fail their checks'),
})

/** Everything a hub can be told. */
export const hubSchema = z.strictObject({
  data: path().default('.flotilla').describe('folder of the store, the blobs and the token of the administrator'),
  listen: address().prefault('127.0.0.1:8470').describe('address and port to listen on'),
  publicUrl: baseUrl()
    .optional()
    .describe('how nodes reach this hub, for the join line; made of `listen` when not set'),
  names: z.array(z.string()).default([]).describe('host names that the hub answers to, besides its addresses'),
  blobs: path().optional().describe('folder of the blobs, such as one on shared storage; `data`/blobs when not set'),
  sources: z.record(treeName, source).default({}).describe('folders to follow, by tree'),
  guardShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('share of the datasets that one release may remove without a confirmation'),
  bus,
  logLevel: z.enum(LOG_LEVELS).default('info').describe('how much is logged'),
})

export type HubConfig = z.output<typeof hubSchema>
