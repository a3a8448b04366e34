import { z } from 'zod'

const file = z.string({ error: 'takes a path' }).min(1, { error: 'takes a path' })

/** How an etcd is reached whose address is the hub's `store`, beyond that address. */
export const etcdConfigSchema = z.strictObject({
  user: z.string().min(1).optional().describe('user of etcd, where it asks who calls'),
  passwordFile: file.optional().describe('file that holds the password of `user`; nobody else may be able to read it'),
  caFile: file.optional().describe('certificates in PEM that etcd’s own is checked against, instead of the system’s'),
  certFile: file.optional().describe('certificate in PEM that the hub shows to etcd'),
  keyFile: file.optional().describe('key of that certificate in PEM'),
  keepRevisions: z
    .number()
    .int()
    .min(0)
    .default(10_000)
    .describe(
      'how many revisions etcd holds for watches, of everything in it; 0 leaves compacting it to somebody else',
    ),
})
