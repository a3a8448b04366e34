import { erddapConfigSchema } from './erddap/config.ts'
import { erddapTarget } from './erddap/target.ts'
import { geoserverConfigSchema } from './geoserver/config.ts'
import { geoserverTarget } from './geoserver/target.ts'
import { proxySchema } from './proxy/config.ts'
import type { ProxyDeps, ProxyKind } from './proxy/kind.ts'
import { haproxyConfigSchema } from './proxy/haproxy/config.ts'
import { nginxConfigSchema } from './proxy/nginx/config.ts'

/** Every kind of target a node can keep in step: the shape of its options, and how it is made of them. */
export const targets = {
  erddap: { schema: erddapConfigSchema, create: erddapTarget },
  geoserver: { schema: geoserverConfigSchema, create: geoserverTarget },
} as const

/**
 * Every kind of proxy that an agent can look after: the shape of its options, besides those that all have, and how its driver
 * is made of them. Drivers are loaded where there is such a proxy, and nowhere else.
 */
export const proxies = {
  common: proxySchema,
  kinds: {
    nginx: {
      schema: nginxConfigSchema,
      create: async (config, deps: ProxyDeps) =>
        new (await import('./proxy/nginx/driver.ts')).NginxDriver(config, deps),
    } satisfies ProxyKind<typeof nginxConfigSchema>,
    haproxy: {
      schema: haproxyConfigSchema,
      create: async (config, deps: ProxyDeps) =>
        new (await import('./proxy/haproxy/driver.ts')).HaproxyDriver(config, deps),
    } satisfies ProxyKind<typeof haproxyConfigSchema>,
  },
} as const
