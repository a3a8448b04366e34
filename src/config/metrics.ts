import { z } from 'zod'
import { isLoopbackHost } from '../lib/loopback.ts'
import { address, path } from './units.ts'

/** What an agent tells a Prometheus on its own machine; nothing unless the section is there. */
export const metrics = z
  .strictObject({
    listen: address()
      .refine(({ host }) => isLoopbackHost(host), {
        error: 'takes an address of this machine only, such as 127.0.0.1:9473',
      })
      .describe('address and port of the page `/metrics`; on this machine only'),
    accessLogs: z
      .array(path())
      .max(20)
      .default([])
      .describe(
        'access logs of the proxy or of Tomcat to count requests from, such as /var/log/nginx/access.log or logs/access_log*',
      ),
  })
  .optional()
