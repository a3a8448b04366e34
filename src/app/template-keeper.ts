import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { AgentConfig } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { TemplateSettings } from '../config/templates.ts'
import { FlotillaError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Service } from '../core/service.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { HubConnection } from '../lib/hub-connection.ts'
import { aborted } from '../lib/waiting.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import type { RenderedSet } from '../templates/keeper.ts'
import { TemplateKeeper } from '../templates/keeper.ts'
import { factsOf } from '../templates/known-profiles.ts'
import { renderedSet } from '../templates/rendered-set.ts'
import { TokenBook } from '../templates/tokens.ts'
import type { TemplatesDeps, TemplateServices } from './agent-templates.ts'
import { folderWatch } from './folder-watch.ts'
import { ProfileFeed } from './profile-feed.ts'
import { effectiveParams, profileTokens } from './profile-tokens.ts'

/** One keeper for all files, with one copy of the store for each token that is used to read it. */
export async function keeperOf(config: AgentConfig, deps: TemplatesDeps): Promise<TemplateServices> {
  const { clock, log, base, tell } = deps
  const changed = (): void => keeper.changed()
  const own = await ownOf(config, deps)
  const views = new Map<string | undefined, ProfileFeed>()
  const sets: RenderedSet[] = []
  for (const [name, settings] of Object.entries(config.templates)) {
    const { tokenFile } = settings
    const feed = views.get(tokenFile) ?? (await feedOf(tokenFile, own, config, { ...deps, changed }))
    views.set(tokenFile, feed)
    sets.push(setOf(name, settings, { feed, tokens: own.tokens }, config, deps))
  }
  const keeper = new TemplateKeeper({
    sets,
    dueInMs: (wishes) => own.tokens.dueInMs(wishes),
    tell: (rendered) => tell(keys.rendered(config.node), rendered),
    clock,
    log,
    random: Math.random,
    intervalMs: config.interval,
  })
  const folders = new Set(Object.values(config.templates).map(({ from }) => absolute(base, from)))
  const watches = [...folders].map((from) =>
    folderWatch({ of: from, folder: () => folderAt(from), changed, clock, log }),
  )
  return { services: [...views.values(), keeper, ...watches, ...own.services], look: () => keeper.look() }
}

/** What is done with the credential of the node: only it makes tokens for the profiles that it has, whoever reads them. */
interface Own {
  readonly tokens: TokenBook
  /** Undefined without a hub. */
  readonly hub: HubConnection | undefined
  readonly services: readonly Service[]
}

async function ownOf(
  { hub: url, node, credentialFile }: AgentConfig,
  { memory, clock, log, base }: TemplatesDeps,
): Promise<Own> {
  const book = { keep: memory, clock, log }
  if (url === undefined) return { tokens: new TokenBook({ mint: withoutHub, ...book }), hub: undefined, services: [] }
  const hub = new HubConnection({ url, token: await readSecretFile(absolute(base, credentialFile)) })
  const closing: Service = {
    name: 'connection of templates',
    run: async (signal) => {
      await aborted(signal)
      hub.close()
    },
  }
  const mint = profileTokens(hub, `templates of ${node}`)
  return { tokens: new TokenBook({ mint, ...book }), hub, services: [closing] }
}

/** What one token sees: that of the node without a file. */
async function feedOf(
  tokenFile: string | undefined,
  own: Own,
  { hub: url, node }: AgentConfig,
  { store, clock, base, changed: onChange }: TemplatesDeps & { readonly changed: () => void },
): Promise<ProfileFeed> {
  const common = { node, clock, onChange }
  if (url === undefined || own.hub === undefined) return new ProfileFeed({ store, ...common })
  if (tokenFile === undefined) {
    return new ProfileFeed({ store, effective: effectiveParams(own.hub, node), ...common })
  }
  const token = await readSecretFile(absolute(base, tokenFile))
  return new ProfileFeed({ store: openRemoteStore({ url, token }), ...common })
}

async function withoutHub(): Promise<never> {
  await Promise.resolve()
  throw new FlotillaError('TEMPLATE_FAILED', 'tokens for profiles are made by a hub, and `hub` is not set')
}

function setOf(
  name: string,
  { from, to, mode, profiles, ...rest }: TemplateSettings,
  { feed, tokens }: { readonly feed: ProfileFeed; readonly tokens: TokenBook },
  { node, values, hub }: AgentConfig,
  { base, memory }: TemplatesDeps,
): RenderedSet {
  const place = { from: absolute(base, from), to: absolute(base, to), mode: Number.parseInt(mode, 8) }
  const known = { node: { name: node, values }, profiles, apiUrl: hub }
  const facts = () =>
    feed.isKnown ? factsOf({ entries: feed.entries, effective: feed.effective, ...known }) : undefined
  return renderedSet({ name, ...place, ...rest }, { tokens, keep: memory, facts })
}

/** Where one template is named, its folder: others may be included from there. */
function folderAt(from: string): string {
  return statSync(from).isDirectory() ? from : dirname(from)
}
