import type { ProxyHere } from '../app/proxy-look.ts'
import type { AgentConfig } from '../config/agent.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { silent } from '../core/log.ts'
import { isFile, statesHere } from './agent-state.ts'
import { CLIENT, findToken, findUrl } from './connect.ts'
import type { Context } from './context.ts'
import { serviceSources } from './service.ts'

/** Options of the commands about a proxy. */
export const PROXY = {
  proxy: { type: 'value', placeholder: 'NAME', summary: 'which one, where the agent looks after several' },
  state: {
    type: 'value',
    placeholder: 'DIR',
    summary: 'state folder of the agent beside the proxy; the only one here when left out',
    completes: 'folder',
  },
  config: { type: 'value', placeholder: 'FILE', summary: 'its configuration elsewhere', completes: 'file' },
  ...CLIENT,
} as const

interface ProxyOptions {
  readonly proxy: string | undefined
  readonly state: string | undefined
  readonly config: string | undefined
  readonly url: string | undefined
  readonly tokenFile: string | undefined
}

/** The proxy that is meant, by the configuration of the agent beside it. */
export async function proxyHere(options: ProxyOptions, context: Context): Promise<ProxyHere> {
  const found = await proxiesAt(await filesOf(options, context), context)
  const named = options.proxy === undefined ? found : found.filter(({ name }) => name === options.proxy)
  const [only] = named
  if (only === undefined) throw noProxy(options.proxy, found)
  if (named.length > 1) {
    const names = named.map(({ name }) => name).join(', ')
    throw new FlotillaError('USAGE', `there are several proxies: ${names}`, { hint: 'Say which: --proxy NAME' })
  }
  return only
}

/** The same; where there is no agent with a proxy, one that knows the hub and no more than `rules`. */
export async function proxyHereOr(
  options: ProxyOptions & { readonly rule: readonly string[]; readonly tree: string },
  context: Context,
): Promise<ProxyHere> {
  const isNamed = options.proxy !== undefined || options.state !== undefined || options.config !== undefined
  if (isNamed || (await proxiesAt(await filesOf(options, context), context)).length > 0) {
    return proxyHere(options, context)
  }
  const { proxy } = await import('../config/proxies.ts')
  const rules = options.rule.length === 0 ? undefined : options.rule
  const parsed = proxy.safeParse({ kind: 'nginx', folder: '/', tree: options.tree, ...(rules && { rules }) })
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const index = issue?.path.findLast((part) => typeof part === 'number')
    const given = index === undefined ? '' : ` ${options.rule[index] ?? ''}`
    throw new FlotillaError('USAGE', `--rule${given}: ${issue?.message ?? 'is no rule'}`)
  }
  return { name: 'proxy', settings: parsed.data, hub: await hubOf(options, context) }
}

/** Nobody reads the log of a command that looks once. */
export function lookDeps({ clock }: Context) {
  return { clock, log: silent }
}

async function filesOf({ state, config }: ProxyOptions, context: Context): Promise<readonly string[]> {
  if (state === undefined && config === undefined) return statesHere(context)
  const { agentFile } = await import('./agent-state.ts')
  return [await agentFile({ state, config }, context)]
}

async function proxiesAt(files: readonly string[], context: Context): Promise<readonly ProxyHere[]> {
  const all = files.map(async (file) => ((await isFile(file)) ? await proxiesIn(file, context) : []))
  return (await Promise.all(all)).flat()
}

async function proxiesIn(file: string, context: Context): Promise<readonly ProxyHere[]> {
  const [{ agentSchema }, { loadConfig }, { absolute }] = await Promise.all([
    import('../config/agent.ts'),
    import('../config/load.ts'),
    import('../config/paths.ts'),
  ])
  const { base, ...sources } = await serviceSources(file, {}, context)
  const config = loadConfig(agentSchema, sources)
  const entries = Object.entries(config.proxies)
  if (entries.length === 0) return []
  const hub = await credentialOf(config, base)
  return entries.map(([name, settings]) => ({ name, settings, state: absolute(base, config.state), hub }))
}

/** What the agent itself asks the hub with. */
async function credentialOf({ hub, credentialFile }: AgentConfig, base: string): Promise<ProxyHere['hub']> {
  if (hub === undefined) return undefined
  const [{ readSecretFile }, { absolute }] = await Promise.all([
    import('../lib/secret-file.ts'),
    import('../config/paths.ts'),
  ])
  return { url: hub, token: await readSecretFile(absolute(base, credentialFile)) }
}

async function hubOf(options: ProxyOptions, context: Context): Promise<ProxyHere['hub']> {
  const { url } = await findUrl(options, context)
  try {
    return { url, token: (await findToken(options, context, url)).token }
  } catch (error) {
    if (!isError(error, 'UNAUTHENTICATED')) throw error
    throw new FlotillaError('USAGE', 'there is no agent with a proxy here, and no token to ask the hub with', {
      hint: 'Say where the agent’s state is (--state DIR), or give --url and --token-file.',
    })
  }
}

function noProxy(name: string | undefined, found: readonly ProxyHere[]): FlotillaError {
  if (found.length === 0) {
    return new FlotillaError('NOT_FOUND', 'there is no agent with a proxy here', {
      hint: 'Say where its state is: --state DIR. Proxies are in its configuration, under `proxies`.',
    })
  }
  const names = found.map((one) => one.name).join(', ')
  return new FlotillaError('NOT_FOUND', `there is no proxy "${name}"`, { hint: `There is: ${names}` })
}
