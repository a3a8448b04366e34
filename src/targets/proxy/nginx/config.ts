import { z } from 'zod'

const path = z.string().regex(/^\/[A-Za-z0-9_.@+/-]*$/, 'must be an absolute path of A-Z a-z 0-9 _ . @ + - /')
const command = z.array(z.string().min(1)).min(1)
const milliseconds = z.int().min(1).max(86_400_000)
const LISTEN = /^(?:(?:\d{1,3}\.){3}\d{1,3}:|\[[0-9A-Fa-f:.]+\]:)?\d{1,5}$/
const ADDRESS = /^(?:(?:\d{1,3}\.){3}\d{1,3}|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/
const LOCATION = /^\/[A-Za-z0-9_.~/-]*$/

/** What a node says of the nginx beside it. What may be run is here, and nowhere else. */
export const nginxConfigSchema = z.strictObject({
  folder: path.describe(
    'Folder that the agent owns and nginx reads: http/*.conf and server/*.conf to be included, or nginx.conf.',
  ),
  listen: z
    .array(z.string().regex(LISTEN, 'takes PORT, ADDRESS:PORT or [ADDRESS]:PORT'))
    .min(1)
    .optional()
    .describe('Where a configuration of its own listens; unset, an existing one includes the two folders.'),
  main: path
    .optional()
    .describe('The configuration that includes them, if it is not the one that nginx was built for.'),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/)
    .default('www-data')
    .describe('Whom the workers run as, in a configuration of its own.'),
  nginx: command.default(['/usr/sbin/nginx']).describe('How nginx’s program is called, `sudo` before it included.'),
  reload: command
    .optional()
    .describe('What makes nginx read its configuration anew; `nginx -s reload` when not set. Runs without a shell.'),
  modules: path
    .default('/etc/nginx/modules-enabled')
    .describe('Folder of the files that load modules, for a configuration of its own.'),
  lua: z
    .boolean()
    .default(true)
    .describe('Whether nginx has its Lua module: then nothing but a change of rules ever makes it reload.'),
  control: z
    .string()
    .regex(ADDRESS, 'takes ADDRESS:PORT')
    .default('127.0.0.1:8479')
    .describe('Where nginx tells the agent which table is in force. It takes no orders there.'),
  accessLog: path
    .optional()
    .describe('Access log of a configuration of its own, with key and node; none when not set.'),
  reloadEveryMs: milliseconds
    .default(10_000)
    .describe('How far reloads are apart at least. Without Lua a change of anything is one.'),
  trusted: z
    .array(z.string().regex(/^[0-9A-Fa-f.:]+(?:\/\d{1,3})?$/, 'takes an address or a network such as 10.0.0.0/8'))
    .default([])
    .describe(
      'Proxies in front of a configuration of its own: what they say of the client in X-Forwarded-For and -Proto counts.',
    ),
  locations: z
    .array(z.string().regex(LOCATION, 'takes a path such as /erddap/'))
    .min(1)
    .default(['/'])
    .describe('What is routed.'),
  keyHeader: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9-]{0,62}$/)
    .optional()
    .describe('A header that shows each answer’s key, for looking into things; none when not set.'),
  tries: z
    .int()
    .min(1)
    .max(5)
    .default(2)
    .describe('How many nodes one request may be sent to, if it carries no effect.'),
  retryMs: milliseconds.default(10_000).describe('After how long it is not sent to another one.'),
  connectMs: milliseconds.default(2000).describe('How long a connection to a node may take.'),
  readMs: milliseconds.default(3_600_000).describe('How long a node may be silent: ERDDAP may think for minutes.'),
  bodyMb: z.int().min(1).max(100_000).default(64).describe('The largest body a client may send, in MB.'),
})

export type NginxConfig = z.output<typeof nginxConfigSchema>
