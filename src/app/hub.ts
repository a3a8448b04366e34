import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type HubConfig } from '../config/hub.ts'
import { absolute } from '../config/paths.ts'
import { noteOnBlobs } from '../config/store.ts'
import { drpFace } from '../compat/drp/face.ts'
import { erddaputilFace } from '../compat/erddaputil/face.ts'
import type { JoinCodeAnswer } from '../core/api.ts'
import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import { DEFAULT_TREE } from '../core/status.ts'
import type { Store } from '../core/store.ts'
import { ensureAdminToken, ensurePeerKey } from '../hub/bootstrap.ts'
import { FencedStore } from '../hub/fenced-store.ts'
import { tellChanges } from '../hub/hints.ts'
import { createHub, type Hub } from '../hub/hub.ts'
import { createJoinCode } from '../hub/join.ts'
import { HUB_LIMITS } from '../hub/limits.ts'
import { tryAddress } from '../hub/listening.ts'
import { writeAtomic } from '../lib/atomic-file.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { supervise } from '../lib/supervise.ts'
import { sleepQuietly } from '../lib/waiting.ts'
import type { BlobStore } from '../releases/blobs.ts'
import { openFolderBlobs } from '../releases/folder-blobs.ts'
import { type FolderFollower, followFolder, type FollowDeps, type FollowOptions } from '../releases/follow.ts'
import { RecentBlobs } from '../releases/recent-blobs.ts'
import { Releases } from '../releases/releases.ts'
import { RolloutService } from '../rollout/service.ts'
import { erddapKind } from '../targets/erddap/kind.ts'
import { Overlay } from '../targets/geoserver/definition/overlay.ts'
import { DataDirectory } from '../targets/geoserver/directory/data-directory.ts'
import { geoserverKind } from '../targets/geoserver/kind.ts'
import { type CarriedBus, openBus } from './bus.ts'
import { listenForDrp } from './drp.ts'
import { erddaputilServices } from './erddaputil.ts'
import { inOneHub } from './one-hub.ts'
import { hubNameIn, openStore } from './store.ts'

export interface HubDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
  /** Where the token of the administrator is kept; in the data folder unless told. */
  readonly tokenFile?: string | undefined
}

/** A hub that listens. */
export interface ReadyHub {
  /** How others reach it. */
  readonly url: string
  /** Where the API of Digital Rebar is over TLS, if anywhere. */
  readonly drpUrl: string | undefined
  readonly data: string
  readonly tokenFile: string
  /** What it works with, for whoever runs in the same process. */
  readonly store: Store
  readonly blobs: BlobStore
  readonly followers: readonly FolderFollower[]
  joinCode(): Promise<Omit<JoinCodeAnswer, 'code'> & { readonly code: Secret }>
}

const TOKEN_FILE = 'admin.token'
const URL_FILE = 'url'
/** After a release every node asks for the same few blobs at once. */
const RECENT = { totalBytes: 32 * 1024 * 1024, blobBytes: 1024 * 1024 }
const SWEEP_MS = 6 * 3_600_000
const MAX_DELAY_MS = 60_000

/** Runs a hub until the signal is aborted. `onReady` is called once it listens. */
export async function runHub(
  config: HubConfig,
  deps: HubDeps,
  onReady: (hub: ReadyHub) => Promise<void>,
): Promise<void> {
  const { clock, log, base } = deps
  const data = absolute(base, config.data)
  // Nothing is made for a hub that cannot listen. Where there is something, its store knows better who else is there.
  if (!existsSync(data)) await tryAddress(config.listen)
  const store = new FencedStore(await openStore(config, { clock, log, base, data }))
  const note = noteOnBlobs(config)
  if (note !== undefined) log.warn(note)
  let bus: CarriedBus | undefined
  try {
    bus = await openBus(config.bus, { clock, log, base, name: 'hub' })
    await serve(config, { ...deps, data, store, bus }, onReady)
  } finally {
    await bus?.close()
    await store.close()
  }
}

interface ServeDeps extends HubDeps {
  readonly data: string
  readonly store: FencedStore
  readonly bus: CarriedBus | undefined
}

async function serve(config: HubConfig, deps: ServeDeps, onReady: (hub: ReadyHub) => Promise<void>): Promise<void> {
  const { clock, log, signal, base, data, store, bus } = deps
  const folder = absolute(base, config.blobs ?? join(data, 'blobs'))
  const blobs = new RecentBlobs(await openFolderBlobs(folder, { clock }), RECENT)
  const releases = new Releases({
    store,
    blobs,
    kinds: [erddapKind(), geoserverKind()],
    clock,
    guardShare: config.guardShare,
  })
  const tokenFile = deps.tokenFile ?? join(data, TOKEN_FILE)
  const hubName = hubNameIn(config, data)
  await keepAdminToken(tokenFile, store, clock, hubName)
  await ensurePeerKey(store)
  const followers = followersOf(config, base, { releases, blobs, clock, log })
  const holder = `${hostname()} ${process.pid}`
  // What several hubs over one store would do twice is done by one of them.
  const inOne = (service: Service): Service =>
    hubName === undefined ? service : inOneHub(service, { store, clock, log, holder })
  const bridge = await erddaputilServices(config.erddaputil, base, { store, clock, log, releases, followers }, inOne)
  const hub = await createHub({
    store,
    blobs,
    releases,
    clock,
    log,
    hostNames: config.names,
    followers,
    bus: () => bus?.health,
    faces: [await erddaputilFace(DEFAULT_TREE), drpFace()],
  })
  try {
    const url = await listen(hub, config, data)
    const drpUrl = await listenForDrp(hub, config.drp, { base, log })
    const ready = { url, drpUrl, data, tokenFile, store, blobs, followers, joinCode: () => newJoinCode(store, clock) }
    log.info('the hub is ready', { url, data })
    await onReady(ready)
    const telling = bus === undefined ? [] : [tellChanges({ store, bus })]
    const rolling = new RolloutService({ store, clock, log, random: Math.random, holder })
    const here = hubName === undefined ? [] : [inOne(presence(hubName))]
    const services = [...here, ...followers.map(inOne), ...telling, ...bridge, rolling, sweeper(releases, clock, log)]
    await supervise(services, { clock, log, signal, random: Math.random, maxDelayMs: MAX_DELAY_MS })
  } finally {
    await hub.close()
    log.info('the hub has stopped')
  }
}

function followersOf(config: HubConfig, base: string, deps: FollowDeps): readonly FolderFollower[] {
  return Object.entries(config.sources).map(([tree, source]) => {
    const { kind, interval: intervalMs, quarantine } = source
    const folder = absolute(base, source.folder)
    return followFolder({ tree, kind, intervalMs, quarantine, folder, scan: scanOf(kind, folder, deps.clock) }, deps)
  })
}

/** A data directory is released in the form that is the same for all nodes. */
function scanOf(kind: string, path: string, clock: Clock): FollowOptions['scan'] {
  if (kind !== 'geoserver') return undefined
  const directory = new DataDirectory({ path, overlay: new Overlay(), clock })
  return async (op) => await directory.scan(op)
}

/** Does nothing but hold its office, by which commands that want the store for themselves see that a hub is there. */
function presence(hub: string): Service {
  return {
    name: `hub ${hub}`,
    run: async (signal) => {
      if (!signal.aborted) await once(signal, 'abort')
    },
  }
}

/** Removes blobs that no release needs any more. */
function sweeper(releases: Releases, clock: Clock, log: Logger): Service {
  return {
    name: 'sweep',
    run: async (signal) => {
      while (await sleepQuietly(clock, SWEEP_MS, signal)) {
        const { removed, bytes } = await releases.sweep({ signal })
        log.info('blobs were swept', { removed, bytes })
      }
    },
  }
}

/** The token in the file stays as long as it is good. */
async function keepAdminToken(file: string, store: Store, clock: Clock, hub: string | undefined): Promise<void> {
  const { token, created } = await ensureAdminToken({ store, clock }, await kept(file), hub)
  if (created) await writeAtomic(file, `${token.reveal()}\n`, { mode: 0o600 })
}

async function kept(file: string): Promise<Secret | undefined> {
  try {
    return await readSecretFile(file)
  } catch (error) {
    if (isError(error, 'NOT_FOUND', 'UNAUTHENTICATED')) return undefined
    throw error
  }
}

/** Answers how others reach the hub; how this machine does is left in the data folder for commands that run here. */
async function listen(hub: Hub, config: HubConfig, data: string): Promise<string> {
  const { host } = config.listen
  const { port, url } = await hub.listen(config.listen)
  const everywhere = host === '0.0.0.0' || host === '::'
  await writeAtomic(join(data, URL_FILE), `${everywhere ? `http://127.0.0.1:${port}` : url}\n`)
  return config.publicUrl ?? (everywhere ? `http://${hostname()}:${port}` : url)
}

function newJoinCode(store: Store, clock: Clock): ReturnType<ReadyHub['joinCode']> {
  return createJoinCode({ store, clock }, { ttlMs: HUB_LIMITS.joinCodeMs, codesMax: HUB_LIMITS.joinCodes })
}
