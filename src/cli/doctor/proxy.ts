import { access, constants } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AgentConfig } from '../../config/agent.ts'
import { absolute } from '../../config/paths.ts'
import { silent } from '../../core/log.ts'
import type { Op } from '../../core/op.ts'
import { isLoopbackHost } from '../../lib/loopback.ts'
import { PHRASE, readSecretFile } from '../../lib/secret-file.ts'
import type { Context } from '../context.ts'
import { plural } from '../format.ts'
import { type Check, fail, type Finding, ok, warn } from './check.ts'

type Proxy = AgentConfig['proxies'][string]

/** What can be seen of the proxies beside an agent, on their own machine. `file` is the agent's configuration. */
export function proxyChecks(file: string, config: AgentConfig, context: Context): readonly Check[] {
  return Object.entries(config.proxies).flatMap(([name, proxy]) => checksOf(name, proxy, file, config, context))
}

function checksOf(
  name: string,
  proxy: Proxy,
  file: string,
  config: AgentConfig,
  { clock, signal }: Context,
): readonly Check[] {
  const group = `node ${config.node}, proxy ${name}`
  const base = dirname(file)
  const view = viewer({ name, proxy, base, config }, { clock, log: silent }, { signal })
  const check = (about: string, needs: readonly string[], run: () => Promise<Finding>): Check => ({
    group,
    name: about,
    needs,
    run,
  })
  return [
    check('folder', [], () => folderFinding(proxy.folder)),
    check('nodes', [], async () => nodesFinding(await view(), config.node)),
    check(proxy.kind, ['nodes'], async () => {
      const { table } = await view({ judge: true })
      return ok(`takes its configuration: ${plural(table.placement.size, 'item')} placed`)
    }),
    ...flagChecks(group, base, proxy),
  ]
}

interface Seen {
  readonly name: string
  readonly proxy: Proxy
  readonly base: string
  readonly config: AgentConfig
}

/** Looks at the cluster, and with `judge` lets the proxy's own program look at what would be written. */
function viewer({ name, proxy, base, config }: Seen, deps: { clock: Context['clock']; log: typeof silent }, op: Op) {
  return async ({ judge = false } = {}) => {
    const { checkProxy, lookAtProxy } = await import('../../app/proxy-look.ts')
    const token = config.hub === undefined ? undefined : await readSecretFile(absolute(base, config.credentialFile))
    const hub = config.hub === undefined || token === undefined ? undefined : { url: config.hub, token }
    const here = { name, settings: proxy, state: absolute(base, config.state), hub }
    return await (judge ? checkProxy : lookAtProxy)(here, deps, op)
  }
}

async function folderFinding(folder: string): Promise<Finding> {
  try {
    await access(folder, constants.W_OK | constants.X_OK)
    return ok(folder)
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (isAbsent)
      return warn(`${folder} is not there yet`, 'The agent makes it when it first tells the proxy something.')
    return fail(`${folder} cannot be written`, 'It must belong to the user of the agent.')
  }
}

type View = Awaited<ReturnType<ReturnType<typeof viewer>>>

function nodesFinding({ cluster, down, from }: View, self: string): Finding {
  if (from === 'state') return warn('the hub does not answer; the agent goes on with what it knew', 'Start the hub.')
  if (cluster.members.length === 0) {
    return warn('there is no node behind it yet', 'Nodes whose target has a `url` are found by themselves.')
  }
  if (down.length > 0) {
    return fail(
      `no answer from ${down.join(', ')}`,
      'Start ERDDAP there, or correct `serveUrl` of its target or `probe`.',
    )
  }
  const near = cluster.members.filter(({ node, host }) => node !== self && isLoopbackHost(host)).map(({ node }) => node)
  if (near.length > 0) {
    return warn(
      `${near.join(', ')}: at a loopback address, which is right only on this machine`,
      'If it runs elsewhere, set `serveUrl` of its target to an address that others reach.',
    )
  }
  return ok(`all ${cluster.members.length} answer`)
}

function flagChecks(group: string, base: string, { flags }: Proxy): readonly Check[] {
  if (flags === undefined) return []
  const secret = (name: string, file: string, form?: RegExp): Check => ({
    group,
    name,
    run: async () => {
      await readSecretFile(absolute(base, file), form)
      return ok('readable, and by nobody else')
    },
  })
  return [secret('flagKeyKey', flags.keyFile, PHRASE), secret('token for flags', flags.tokenFile)]
}
