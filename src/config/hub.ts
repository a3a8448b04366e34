import { z } from 'zod'
import { LOG_LEVELS } from '../lib/log.ts'
import { bus } from './bus.ts'
import { drp } from './drp.ts'
import { erddaputil } from './erddaputil.ts'
import { etcd, store } from './store.ts'
import { sources } from './sources.ts'
import { address, baseUrl, path } from './units.ts'

/** Everything a hub can be told. */
export const hubSchema = z.strictObject({
  data: path().default('.flotilla').describe('folder of the store, the blobs and the token of the administrator'),
  store,
  etcd,
  listen: address().prefault('127.0.0.1:8470').describe('address and port to listen on'),
  publicUrl: baseUrl()
    .optional()
    .describe('how nodes reach this hub, for the join line; made of `listen` when not set'),
  names: z.array(z.string()).default([]).describe('host names that the hub answers to, besides its addresses'),
  blobs: path().optional().describe('folder of the blobs, such as one on shared storage; `data`/blobs when not set'),
  sources,
  guardShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.1)
    .describe('share of the datasets that one release may remove without a confirmation'),
  bus,
  erddaputil,
  drp,
  logLevel: z.enum(LOG_LEVELS).default('info').describe('how much is logged'),
})

export type HubConfig = z.output<typeof hubSchema>
