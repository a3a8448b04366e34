import { statSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { AgentConfig } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { TemplateSettings } from '../config/templates.ts'
import { FlotillaError, messageOf } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Service } from '../core/service.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import type { RenderedSet } from '../templates/keeper.ts'
import { TemplateKeeper } from '../templates/keeper.ts'
import { factsOf } from '../templates/known-profiles.ts'
import { renderedSet } from '../templates/rendered-set.ts'
import { TokenBook } from '../templates/tokens.ts'
import type { TemplatesDeps, TemplateServices } from './agent-templates.ts'
import { ProfileFeed } from './profile-feed.ts'
import { effectiveParams, profileTokens } from './profile-tokens.ts'

/** One keeper for all files, with one copy of the store for each token that is used to read it. */
export async function keeperOf(config: AgentConfig, deps: TemplatesDeps): Promise<TemplateServices> {
  const { clock, log, base, tell } = deps
  const changed = (): void => keeper.changed()
  const views = new Map<string | undefined, View>()
  const sets: RenderedSet[] = []
  for (const [name, settings] of Object.entries(config.templates)) {
    const { tokenFile } = settings
    const view = views.get(tokenFile) ?? (await viewOf(tokenFile, config, { ...deps, changed }))
    views.set(tokenFile, view)
    sets.push(setOf(name, settings, view, config, deps))
  }
  const keeper = new TemplateKeeper({
    sets,
    dueInMs: (wishes) => Math.min(...[...views.values()].map(({ tokens }) => tokens.dueInMs(wishes))),
    tell: (rendered) => tell(keys.rendered(config.node), rendered),
    clock,
    log,
    random: Math.random,
    intervalMs: config.interval,
  })
  const folders = new Set(Object.values(config.templates).map(({ from }) => absolute(base, from)))
  const watchers = [...folders].map((from) => watcher(from, changed, deps))
  const feeds = [...views.values()].map(({ feed }) => feed)
  return { services: [...feeds, keeper, ...watchers], look: () => keeper.look() }
}

/** What one token sees, and the tokens that are made with it. */
interface View {
  readonly feed: ProfileFeed
  readonly tokens: TokenBook
}

async function viewOf(
  tokenFile: string | undefined,
  { hub, node, credentialFile }: AgentConfig,
  { store, memory, clock, log, base, changed }: TemplatesDeps & { readonly changed: () => void },
): Promise<View> {
  const common = { node, clock, onChange: changed }
  if (hub === undefined) {
    const tokens = new TokenBook({ mint: withoutHub, keep: memory, clock, log })
    return { feed: new ProfileFeed({ store, ...common }), tokens }
  }
  const accessOf = async (file: string) => ({ url: hub, token: await readSecretFile(absolute(base, file)) })
  // Only a node makes tokens for the profiles that it has, whoever reads them.
  const own = await accessOf(credentialFile)
  const tokens = new TokenBook({ mint: profileTokens(own, `templates of ${node}`), keep: memory, clock, log })
  if (tokenFile === undefined) {
    return { feed: new ProfileFeed({ store, effective: effectiveParams(own, node), ...common }), tokens }
  }
  return { feed: new ProfileFeed({ store: openRemoteStore(await accessOf(tokenFile)), ...common }), tokens }
}

async function withoutHub(): Promise<never> {
  await Promise.resolve()
  throw new FlotillaError('TEMPLATE_FAILED', 'tokens for profiles are made by a hub, and `hub` is not set')
}

function setOf(
  name: string,
  { from, to, mode, profiles, ...rest }: TemplateSettings,
  { feed, tokens }: View,
  { node, values, hub }: AgentConfig,
  { base, memory }: TemplatesDeps,
): RenderedSet {
  const place = { from: absolute(base, from), to: absolute(base, to), mode: Number.parseInt(mode, 8) }
  const known = { node: { name: node, values }, profiles, apiUrl: hub }
  const facts = () =>
    feed.isKnown ? factsOf({ entries: feed.entries, effective: feed.effective, ...known }) : undefined
  return renderedSet({ name, ...place, ...rest }, { tokens, keep: memory, facts })
}

const WATCH_AGAIN_MS = 30_000

/** Where a folder cannot be watched, what changes there is found when everything is looked at. */
function watcher(from: string, changed: () => void, { clock, log }: TemplatesDeps): Service {
  return {
    name: `watch ${from}`,
    async run(signal) {
      while (!signal.aborted) {
        try {
          const folder = statSync(from).isDirectory() ? from : dirname(from)
          const changes = watch(folder, { signal, recursive: true })
          changed()
          for await (const _ of changes) changed()
        } catch (error) {
          if (signal.aborted) return
          log.debug('a folder of templates cannot be watched', { folder: from, error: messageOf(error) })
        }
        await sleepQuietly(clock, WATCH_AGAIN_MS, signal)
      }
    },
  }
}
