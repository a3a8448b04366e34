import type { Memory } from '../agent/memory.ts'
import { KeystoreGiver } from '../catalog/keystore-giver.ts'
import { catalogServices } from '../catalog/services.ts'
import { CatalogClient } from '../client/catalog-client.ts'
import { HubClient } from '../client/hub-client.ts'
import { type AgentConfig, geoserverTargets } from '../config/agent.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import { isError } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Op } from '../core/op.ts'
import type { Service } from '../core/service.ts'
import type { Store } from '../core/store.ts'
import { readBody } from '../lib/http.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { aborted } from '../lib/waiting.ts'
import { policies } from '../targets/geoserver/runtime/differences.ts'
import type { NodeTargets } from './agent-targets.ts'

export interface AgentCatalogDeps {
  readonly targets: readonly NodeTargets[]
  readonly store: Store
  readonly memory: Memory
  /** Of the hub that releases are made at. */
  readonly hub: { readonly url: string; readonly token: Secret }
  /** What this node holds of releases. */
  readonly blobs: { read(sha256: string, op?: Op): Promise<Uint8Array> }
  readonly tell: (key: string, value: { readonly atMs: number }) => void
  /** Has the targets look now. */
  readonly look: () => void
  readonly clock: Clock
  readonly log: Logger
  /** The folder that relative paths of the configuration start from. */
  readonly base: string
}

/** As much as one file of a release has. */
const FILE_BYTES = 256 * 1024 * 1024

/** What is done about the catalog of each GeoServer of this node, besides bringing it in step. */
export async function catalogsOf(config: AgentConfig, deps: AgentCatalogDeps): Promise<readonly Service[]> {
  const services: Service[] = []
  for (const [tree, target] of geoserverTargets(config)) {
    const at = deps.targets.find((one) => one.tree === tree)
    const catalog = at?.catalog
    if (catalog === undefined) continue
    services.push(...((await at?.data)?.services ?? []))
    const { url, token: own } = deps.hub
    const { tokenFile, role, dataDirectory, shareKeystore } = target
    const token = tokenFile === undefined ? own : await readSecretFile(absolute(deps.base, tokenFile))
    const hub = new HubClient({ url, token })
    // Versions are brought in the name of the node, whoever makes releases.
    const versions = new CatalogClient({ url, token: own, clock: deps.clock })
    const policyOf = policies(target)
    services.push(
      ...catalogServices({
        ...deps,
        tree,
        node: config.node,
        role,
        adopts: (path) => policyOf(path) === 'adopt',
        catalog,
        dataDirectory,
        hub,
        versions,
        read: async (sha256, op) => await readReleased(sha256, deps.blobs, hub, op),
        random: Math.random,
      }),
      new KeystoreGiver({ ...deps, tree, node: config.node, dataDirectory, share: shareKeystore }),
      closing(`connection of ${tree}`, [hub, versions]),
    )
  }
  return services
}

async function readReleased(
  sha256: string,
  blobs: AgentCatalogDeps['blobs'],
  hub: HubClient,
  op: Op,
): Promise<Uint8Array> {
  try {
    return await blobs.read(sha256, op)
  } catch (error) {
    if (!isError(error, 'NOT_FOUND', 'CORRUPT')) throw error
    return await readBody(await hub.openBlob(sha256, op), FILE_BYTES)
  }
}

function closing(name: string, connections: readonly { close(): void }[]): Service {
  return {
    name,
    run: async (signal) => {
      await aborted(signal)
      for (const connection of connections) connection.close()
    },
  }
}
