import { z } from 'zod'

const path = z.string().regex(/^\/[A-Za-z0-9_.@+/-]*$/, 'must be an absolute path of A-Z a-z 0-9 _ . @ + - /')
const command = z.array(z.string().min(1)).min(1)
const account = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/)
const milliseconds = z.int().min(1).max(86_400_000)
const LINE = /^\P{Cc}+$/u

/** What a node says of the HAProxy beside it. What may be run is here, and nowhere else. */
export const haproxyConfigSchema = z.strictObject({
  folder: path.describe('Folder that the agent owns and HAProxy reads: haproxy.cfg and what it names.'),
  bind: z
    .array(z.string().regex(LINE, 'is one line'))
    .min(1)
    .describe(
      'Where it listens, as HAProxy writes it: `:80`, or `:443 ssl crt /etc/haproxy/site.pem alpn h2,http/1.1`.',
    ),
  socket: path
    .max(90)
    .optional()
    .describe(
      'Where the agent gives it orders: a socket that only the agent may open; admin.sock in the folder when not set.',
    ),
  haproxy: command.default(['haproxy']).describe('How HAProxy’s program is called, `sudo` before it included.'),
  reload: command
    .default(['systemctl', 'reload', 'haproxy'])
    .describe('What makes HAProxy read its configuration anew. Runs without a shell; only where it cannot be told.'),
  user: account.default('haproxy').describe('Whom HAProxy runs as once it listens.'),
  group: account.default('haproxy').describe('The group of that user.'),
  check: z
    .string()
    .regex(/^\/[A-Za-z0-9_.~/-]*$/, 'takes a path such as /erddap/version')
    .optional()
    .describe('What HAProxy asks every node; any answer below 500 is good. Made of the first rule when not set.'),
  checkMs: milliseconds
    .default(1000)
    .describe('How often it asks, and how long the answer may take. A node that gives none twice is left out.'),
  trusted: z
    .array(z.string().regex(/^[0-9A-Fa-f.:]+(?:\/\d{1,3})?$/, 'takes an address or a network such as 10.0.0.0/8'))
    .default([])
    .describe('Proxies in front of this one, of which the client’s address is taken from X-Forwarded-For.'),
  log: z
    .string()
    .regex(LINE, 'is one line')
    .optional()
    .describe('Where requests are logged, such as `/dev/log local0`.'),
  connectMs: milliseconds.default(2000).describe('How long a connection to a node may take.'),
  readMs: milliseconds.default(3_600_000).describe('How long a node may be silent: ERDDAP may think for minutes.'),
  reloadMs: milliseconds.default(15_000).describe('After how long a reload that is not seen to work is taken back.'),
})

export type HaproxyConfig = z.output<typeof haproxyConfigSchema>
