import { z } from 'zod'
import { proxies } from '../targets/registry.ts'

const { common, kinds } = proxies

/** The options of each kind's own schema, and what every proxy is told. */
const nginx = z.strictObject({
  kind: z.literal('nginx').describe('which proxy it is'),
  ...common.shape,
  ...kinds.nginx.schema.shape,
})
const haproxy = z.strictObject({
  kind: z.literal('haproxy').describe('which proxy it is'),
  ...common.shape,
  ...kinds.haproxy.schema.shape,
})

/** A proxy beside the agent, of one kind or another. */
export const proxy = z.discriminatedUnion('kind', [nginx, haproxy])

export type ProxySettings = z.output<typeof proxy>
