import type { Entry } from './commands.ts'

/** The part of the table that is about the proxies beside agents. */
export const PROXY_COMMANDS: readonly Entry[] = [
  {
    name: 'proxy explain',
    group: 'Look',
    summary: 'say where a proxy sends a URL, and why',
    load: async () => (await import('./commands/proxy-explain.ts')).proxyExplain,
  },
  {
    name: 'proxy render',
    group: 'Write and check',
    summary: 'print the configuration of a proxy beside this agent',
    load: async () => (await import('./commands/proxy.ts')).proxyRender,
  },
  {
    name: 'proxy render filedist',
    group: 'Write and check',
    summary: 'print the configuration of the nginx before a node of a distribution tree',
    load: async () => (await import('./commands/proxy-filedist.ts')).proxyRenderFiledist,
  },
  {
    name: 'proxy check',
    group: 'Write and check',
    summary: 'let the proxy judge that configuration, and ask every node',
    load: async () => (await import('./commands/proxy.ts')).proxyCheck,
  },
  {
    name: 'proxy apply',
    group: 'Change',
    summary: 'bring a proxy in step once, while no agent does',
    load: async () => (await import('./commands/proxy.ts')).proxyApply,
  },
]
