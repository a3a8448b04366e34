import { basename, dirname, resolve } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../core/log.ts'
import type { Quoting } from '../core/templates/writer.ts'
import type { Store } from '../core/store.ts'
import { HubConnection } from '../lib/hub-connection.ts'
import type { Secret } from '../lib/secret.ts'
import { supervise } from '../lib/supervise.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import { TemplateKeeper } from '../templates/keeper.ts'
import { factsOf } from '../templates/known-profiles.ts'
import type { Place } from '../templates/place.ts'
import { type Facts, RenderedFile, renderWith } from '../templates/rendered-file.ts'
import { TemplateFolder } from '../templates/source.ts'
import { type Keep, TokenBook } from '../templates/tokens.ts'
import { folderWatch } from './folder-watch.ts'
import { ProfileFeed } from './profile-feed.ts'
import { effectiveParams, profileTokens } from './profile-tokens.ts'

export interface RenderSettings {
  readonly url: string
  readonly token: Secret
  readonly template: string
  readonly profiles: readonly string[]
  readonly node: string | undefined
  /** The token is the credential of that node. */
  readonly isNode: boolean
  readonly quoting: Quoting | undefined
}

export interface RenderDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Renders templates for a command: once, or for as long as it runs. */
export class Renderer {
  readonly #settings: RenderSettings
  readonly #deps: RenderDeps
  readonly #hub: HubConnection
  readonly #tokens: TokenBook
  readonly #keep: Keep = shortMemory()

  constructor(settings: RenderSettings, deps: RenderDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#hub = new HubConnection({ url: settings.url, token: settings.token })
    const mint = profileTokens(this.#hub, 'flotilla render')
    this.#tokens = new TokenBook({ mint, keep: this.#keep, clock: deps.clock, log: deps.log })
  }

  /** What the template comes to now. */
  async text(): Promise<string> {
    const { template, quoting } = this.#settings
    const { text } = await this.#withFacts(
      async (facts) =>
        await renderWith(facts, {
          folder: new TemplateFolder(dirname(resolve(template))),
          template: basename(template),
          quoting,
          tokens: this.#tokens,
          wishes: [],
          to: template,
          signal: this.#deps.signal,
        }),
    )
    return text
  }

  /** Puts it in its place, if it is not there already. Answers whether it has changed. */
  async put(place: Place): Promise<boolean> {
    const { signal } = this.#deps
    const how = await this.#withFacts(async (facts) => await this.#file(place).keep(facts, { signal }))
    return how === 'changed'
  }

  /** Keeps it in step until the signal aborts; the log is told what changes, and why what does not. */
  async follow(place: Place): Promise<void> {
    const { url, token, template } = this.#settings
    const { clock, log, signal } = this.#deps
    const store = openRemoteStore({ url, token })
    const file = this.#file(place)
    const feed = this.#feed(store, () => keeper.changed())
    const keeper = new TemplateKeeper({
      sets: [{ name: template, files: () => [file], facts: () => (feed.isKnown ? this.#facts(feed) : undefined) }],
      dueInMs: (wishes) => this.#tokens.dueInMs(wishes),
      tell: () => undefined,
      clock,
      log,
      random: Math.random,
      intervalMs: INTERVAL_MS,
    })
    const of = resolve(template)
    const watch = folderWatch({ of, folder: () => dirname(of), changed: () => keeper.changed(), clock, log })
    try {
      await supervise([feed, keeper, watch], { clock, log, random: Math.random, signal, maxDelayMs: RETRY_MS })
    } finally {
      await store.close()
      this.#hub.close()
    }
  }

  #file(place: Place): RenderedFile {
    const { template, quoting } = this.#settings
    const folder = new TemplateFolder(dirname(resolve(template)))
    return new RenderedFile({
      folder,
      template: basename(template),
      place,
      quoting,
      tokens: this.#tokens,
      keep: this.#keep,
    })
  }

  #feed(store: Store, onChange: () => void): ProfileFeed {
    const { node, profiles, isNode } = this.#settings
    const { clock } = this.#deps
    const asks = isNode && profiles.length === 0 && node !== undefined
    const effective = asks ? effectiveParams(this.#hub, node) : undefined
    return new ProfileFeed({ store, node, effective, clock, onChange })
  }

  #facts({ entries, effective }: ProfileFeed): Facts {
    const { node: name, profiles, url } = this.#settings
    return factsOf({
      entries,
      node: name === undefined ? undefined : { name, values: {} },
      profiles,
      apiUrl: url,
      effective,
    })
  }

  async #withFacts<T>(use: (facts: Facts) => Promise<T>): Promise<T> {
    const { url, token } = this.#settings
    const store = openRemoteStore({ url, token })
    try {
      const feed = this.#feed(store, () => undefined)
      await feed.read({ signal: this.#deps.signal })
      return await use(this.#facts(feed))
    } finally {
      await store.close()
      this.#hub.close()
    }
  }
}

const INTERVAL_MS = 30_000
const RETRY_MS = 5000

/** A command remembers nothing over its end. */
function shortMemory(): Keep {
  const texts = new Map<string, string>()
  return {
    load: (name) => Promise.resolve(texts.get(name)),
    save: (name, text) => Promise.resolve(void texts.set(name, text)),
  }
}
