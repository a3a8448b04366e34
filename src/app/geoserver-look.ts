import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { GeoserverTarget } from '../config/agent.ts'
import type { Clock } from '../core/clock.ts'
import type { Op } from '../core/op.ts'
import type { Problem } from '../core/problem.ts'
import { sha256 } from '../lib/hash.ts'
import { isRemote } from '../lib/remote-file-systems.ts'
import { PHRASE, readSecretFile } from '../lib/secret-file.ts'
import { ParameterStores } from '../targets/geoserver/runtime/by-file.ts'
import { type Application, look, modulesOf } from '../targets/geoserver/rest/about.ts'
import { GeoServerClient } from '../targets/geoserver/rest/client.ts'
import { readCatalogFolder } from './catalog-folder.ts'

/** What the doctor sees of one GeoServer from its own machine. */
export interface ApplicationSeen {
  readonly application: Application
  readonly modules: number
  /** Whether GeoWebCache's REST answers. */
  readonly hasTiles: boolean
}

const TIMEOUT_MS = 8000

export async function seeApplication(
  { url, user, passwordFile }: Pick<GeoserverTarget, 'url' | 'user' | 'passwordFile'>,
  clock: Clock,
  op: Op,
): Promise<ApplicationSeen> {
  const password = async () => await readSecretFile(passwordFile, PHRASE)
  const client = new GeoServerClient({ url, user, password, timeoutMs: TIMEOUT_MS, clock })
  try {
    const application = await look(client, op)
    if (application.is !== 'up') return { application, modules: 0, hasTiles: false }
    const tiles = await client.call({ method: 'GET', path: '/gwc/rest/layers.xml' }, op)
    return { application, modules: (await modulesOf(client, op)).length, hasTiles: tiles.status === 200 }
  } finally {
    client.close()
  }
}

export interface DirectorySeen {
  readonly objects: number
  readonly problems: readonly Problem[]
  /** Stores that name parameters of the node. */
  readonly parameters: readonly string[]
  /** Whether the file that GeoServer takes their values from is there. */
  readonly hasValues: boolean
}

/** facts: GeoServer replaces `${name}` only when started with `-DALLOW_ENV_PARAMETRIZATION=true`; values may lie in that file. */
const VALUES_FILE = 'geoserver-environment.properties'

/** Rejects with `SOURCE_VANISHED` where it is not whole. */
export async function seeDirectory(path: string, clock: Clock, op: Op): Promise<DirectorySeen> {
  const { catalog, tree, problems } = await readCatalogFolder(path, { clock, ...op })
  const parameters = [...(await new ParameterStores().in(catalog, tree, op))]
  const hasValues = (await contentOf(join(path, VALUES_FILE))) !== undefined
  return { objects: catalog.entries.size, problems, parameters, hasValues }
}

/** A fingerprint of the keystore; undefined where there is none. */
export async function keystoreOf(dataDirectory: string): Promise<string | undefined> {
  const bytes = await contentOf(join(dataDirectory, 'security/geoserver.jceks'))
  return bytes && sha256(bytes)
}

async function contentOf(path: string): Promise<Uint8Array | undefined> {
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}

/** Whether others may change it without this machine being told. */
export async function isRemoteFolder(path: string): Promise<boolean> {
  return isRemote((await statfs(path)).type)
}
