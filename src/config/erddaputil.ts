import { z } from 'zod'
import { buses } from '../bus/registry.ts'
import { isName } from '../core/keys.ts'
import { DEFAULT_TREE } from '../core/status.ts'
import { address, path } from './units.ts'

const TAKES_NAME = 'takes 1 to 64 of A-Z a-z 0-9 . _ -'
const name = () => z.string({ error: TAKES_NAME }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error: TAKES_NAME })

const { url, user, passwordFile, caFile } = buses.amqp.schema.shape

/** How nodes that still run ERDDAPUtil take part; nothing of it is there unless the section is. */
export const erddaputil = z
  .strictObject({
    secretFile: path().describe('file that holds its `secret_key`; nobody else may be able to read it'),
    hostname: name()
      .default('flotilla')
      .describe('name of this hub among its nodes; different from the host name of each of them'),
    tree: z.string().refine(isName, { error: 'takes the name of a tree' }).default(DEFAULT_TREE).describe('which tree'),
    listen: address()
      .optional()
      .describe(
        'address and port for its command lines and daemons, such as 127.0.0.1:9172; nobody is heard when not set',
      ),
    nodes: z
      .array(address())
      .max(100)
      .default([])
      .describe('daemons of it that are told to compile when there is a new release'),
    amqp: z
      .strictObject({
        url,
        user,
        passwordFile,
        caFile,
        exchange: name().default('erddap_cnc').describe('its exchange'),
        exchangeType: z.enum(['topic', 'direct']).default('topic').describe('of what type the exchange is'),
        cluster: name().default('default').describe('its `cluster_name`'),
      })
      .optional()
      .describe('its broker; versions as shipped send there and hear nothing'),
  })
  .optional()

export type ErddaputilConfig = NonNullable<z.output<typeof erddaputil>>
