import { join } from 'node:path'
import { type Provisioned, provision } from '../catalog/provision.ts'
import { giveKeystore, removeSealed, requestOf, takenBy } from '../catalog/seals.ts'
import { type AgentConfig, geoserverTargets } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { keys } from '../core/keys.ts'
import type { Op } from '../core/op.ts'
import type { Desired } from '../core/release.ts'
import type { Store } from '../core/store.ts'
import { makeFolder } from '../lib/make-folder.ts'
import { holdLock } from '../lib/process-lock.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { httpObjects } from '../objects/http/http-objects.ts'
import { openFolderBlobs } from '../releases/folder-blobs.ts'
import { stageRelease } from '../releases/stage.ts'
import { openRemoteStore } from '../store/remote/remote-store.ts'
import type { AgentDeps } from './agent.ts'

export interface ProvisionRequest {
  /** Of several GeoServers of the node. */
  readonly tree: string | undefined
  /** Where; that of the target unless told. */
  readonly dataDirectory: string | undefined
  /** The node whose keystore is asked for. */
  readonly from: string
  /** Undefined: the hub is trusted. */
  readonly code: Secret | undefined
  readonly version: string | undefined
  readonly replaceKeystore: boolean
  readonly waitMs: number
}

/** Makes the data directory of a node that has joined, and whose GeoServer has not started yet. */
export async function provisionNode(
  config: AgentConfig,
  { from, tree: wanted, dataDirectory, ...request }: ProvisionRequest,
  deps: AgentDeps,
): Promise<Provisioned & { readonly tree: string; readonly dataDirectory: string; readonly release: number }> {
  const { base, clock, log, signal } = deps
  const [tree, target] = targetOf(config, wanted)
  const folder = absolute(base, config.state)
  await makeFolder(folder, 0o700)
  const unlock = await holdLock(join(folder, 'lock'), `the state folder ${folder}`)
  try {
    return await withStore(config, base, async (store, hub) => {
      const desired = await desiredOf(store, tree, { signal })
      const blobs = await openFolderBlobs(join(folder, 'blobs'), { clock, cache: true })
      const sources = [httpObjects({ name: `hub ${hub.url}`, ...hub })]
      const { tree: release, durable } = await stageRelease({ desired, blobs, sources, log, signal })
      await durable()
      const at = dataDirectory ?? target.dataDirectory
      const handover = { tree, giver: from, receiver: config.node }
      const made = await provision({ ...request, ...handover, store, clock, release, dataDirectory: at }, { signal })
      return { ...made, tree, dataDirectory: at, release: desired.release }
    })
  } finally {
    await unlock()
  }
}

export interface ShareRequest {
  readonly tree: string | undefined
  readonly receiver: string
  readonly code: Secret
  /** How long to wait until it was taken. */
  readonly waitMs: number
}

const LOOK_MS = 500

/** Gives the keystore of this node to one that asks for it, and removes what was sealed once that has it. Answers whether it has. */
export async function shareKeystore(
  config: AgentConfig,
  { tree: wanted, receiver, code, waitMs }: ShareRequest,
  { base, clock, signal }: AgentDeps,
): Promise<boolean> {
  const [tree, { dataDirectory }] = targetOf(config, wanted)
  const handover = { tree, giver: config.node, receiver }
  return await withStore(config, base, async (store) => {
    const deps = { store, clock }
    const request = await requestOf(deps, handover, { signal })
    await giveKeystore(deps, handover, { request, dataDirectory, code }, { signal })
    const endMs = clock.monotonicMs() + waitMs
    try {
      for (;;) {
        if (await takenBy(store, handover, request.id, { signal })) return true
        if (clock.monotonicMs() >= endMs) return false
        await clock.sleep(LOOK_MS, signal)
      }
    } finally {
      await removeSealed(deps, handover, {})
    }
  })
}

type Target = ReturnType<typeof geoserverTargets>[number]

function targetOf(config: AgentConfig, tree: string | undefined): Target {
  const targets = geoserverTargets(config)
  const found = tree === undefined ? targets : targets.filter(([name]) => name === tree)
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const what = tree === undefined ? `${found.length} GeoServers` : `no GeoServer of the tree ${tree}`
  throw new FlotillaError('USAGE', `the configuration of ${config.node} has ${what}`, {
    hint: found.length > 1 ? 'Say which: --tree NAME' : 'Join with a target of the kind geoserver first.',
  })
}

async function desiredOf(store: Store, tree: string, op: Op): Promise<Desired> {
  const entry = await store.get(keys.desired(tree), op)
  if (entry !== undefined) return JSON.parse(entry.value) as Desired
  throw new FlotillaError('NOT_FOUND', `nothing is released in ${tree} yet`, {
    hint: 'Start the agent of a node that is a source first.',
  })
}

interface HubAt {
  readonly url: string
  readonly token: Secret
}

async function withStore<T>(
  { hub: url, credentialFile }: AgentConfig,
  base: string,
  use: (store: Store, hub: HubAt) => Promise<T>,
): Promise<T> {
  if (url === undefined)
    throw new FlotillaError('USAGE', 'this node has no hub: there is nobody to share a keystore with')
  const hub = { url, token: await readSecretFile(absolute(base, credentialFile)) }
  const store = openRemoteStore(hub)
  try {
    return await use(store, hub)
  } catch (error) {
    if (!isError(error, 'CORRUPT')) throw error
    throw new FlotillaError('CORRUPT', error.message, {
      hint: 'Nothing was taken. Run `flotilla catalog provision` again: it shows a new code, to be typed on the other node as it stands.',
      cause: error,
    })
  } finally {
    await store.close()
  }
}
