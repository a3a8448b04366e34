import type { FilesConfig } from '../config/files.ts'
import { absolute } from '../config/paths.ts'
import type { Service } from '../core/service.ts'
import { FileServer } from '../fileserver/file-server.ts'
import type { ListeningAddress } from '../fileserver/options.ts'
import { isLoopbackHost } from '../lib/loopback.ts'
import type { Secret } from '../lib/secret.ts'
import { supervise } from '../lib/supervise.ts'
import { FilesAccess } from './files-access.ts'
import { type OpenTree, openTrees, type TreesDeps } from './files-trees.ts'
import { urlOf } from './files-url.ts'
import { warnNested } from './files-nested.ts'

export interface FilesDeps extends Omit<TreesDeps, 'nodeName' | 'listening'> {
  /** May read everything, besides what the files of keys say. */
  readonly keys: readonly Secret[]
}

export interface ReadyTree {
  readonly name: string
  readonly folder: string
  readonly readOnly: boolean
  /** URLs, without credentials. */
  readonly children: readonly string[]
}

/** A file service that listens. */
export interface ReadyFiles {
  readonly url: string
  readonly trees: readonly ReadyTree[]
  readonly state: string
  /** For people: who may. */
  readonly reads: string
  readonly writes: string
  /** Whether a listing of a tree needs a key. */
  readonly needsKey: boolean
}

/** A file service that does not listen yet. */
export interface FilesService {
  /** Run as long as it shall be there. */
  readonly services: readonly Service[]
  readonly access: FilesAccess
  readonly trees: readonly OpenTree[]
  close(): Promise<void>
}

/** How much larger a file is that is better sent by nginx. Facts: nginx with X-Accel-Redirect overtakes at about this size. */
const SENDFILE_BYTES = 256 * 1024

/** Rejects with what is wrong with keys, folders or state, and leaves nothing open then. */
export async function openFiles(
  config: FilesConfig,
  deps: FilesDeps,
  onListening: (ready: ReadyFiles) => void,
): Promise<FilesService> {
  const { clock, log } = deps
  const access = await FilesAccess.open(config, deps)
  let url = urlOf(config.listen, config)
  const listening = Promise.withResolvers<string>()
  const nodeName = (): string => new URL(url).host
  const trees = await openTrees(config, { ...deps, nodeName, listening: listening.promise })
  warnNested(trees, log)
  const { domain, sendfilePrefix, publicUrl, nginxSocket } = config
  const server = new FileServer({
    ...config.listen,
    ...(nginxSocket !== undefined && { nginxSocket: absolute(deps.base, nginxSocket) }),
    trees,
    access: () => access.current,
    domain,
    publicUrl,
    ...(sendfilePrefix !== undefined && { sendfile: { prefix: sendfilePrefix, minBytes: SENDFILE_BYTES } }),
    clock,
    log,
    onListening: (address) => {
      const ready = readyAt(address, config, deps, trees)
      url = ready.url
      listening.resolve(url)
      onListening(ready)
    },
  })
  return {
    services: [server, access, ...trees.flatMap(({ services }) => services)],
    access,
    trees,
    close: async () => {
      for (const tree of trees) await tree.close()
    },
  }
}

/** Serves files until the signal is aborted; what is under way then may come to its end. `onReady` is called once it listens. */
export async function runFiles(
  config: FilesConfig,
  deps: FilesDeps & { readonly signal: AbortSignal },
  onReady: (ready: ReadyFiles) => void,
): Promise<void> {
  const { clock, log } = deps
  const broken = new AbortController()
  const signal = AbortSignal.any([deps.signal, broken.signal])
  const service = await openFiles(config, deps, (ready) => {
    log.info('files are served', { url: ready.url, trees: ready.trees.map(({ name }) => name) })
    onReady(ready)
  })
  try {
    await supervise(service.services.map(firstTime), { clock, log, signal, random: Math.random })
  } finally {
    await service.close()
  }
  if (broken.signal.aborted) throw broken.signal.reason

  /** What cannot even begin is told, and not tried again and again. */
  function firstTime(one: Service): Service {
    if (!(one instanceof FileServer)) return one
    return { name: one.name, run: async (until) => await one.run(until).catch((error: unknown) => broken.abort(error)) }
  }
}

function readyAt(
  address: ListeningAddress,
  config: FilesConfig,
  { keys, state }: FilesDeps,
  trees: readonly OpenTree[],
) {
  const { apiKeyFile, s3CredentialsFile, openReads, openJson, openWrites, readOnly } = config
  const hasKeys = apiKeyFile !== undefined || keys.length > 0
  const isOpen = openReads || (!hasKeys && s3CredentialsFile === undefined)
  const who =
    hasKeys && s3CredentialsFile !== undefined ? 'keys and S3 credentials' : hasKeys ? 'keys' : 'S3 credentials'
  const reads = isOpen ? 'anybody' : `those with ${who}${openJson ? '; *.json anybody' : ''}`
  const writes = readOnly
    ? 'nobody'
    : openWrites
      ? 'anybody on this machine'
      : hasKeys || s3CredentialsFile !== undefined
        ? `those with ${who} that say so`
        : 'nobody: give --s3-credentials FILE, or --open-writes on this machine'
  return {
    url: urlOf(address, config),
    trees: trees.map(({ name, folder, readOnly: isFixed, distribution }) => ({
      name,
      folder,
      readOnly: isFixed,
      children: distribution.children().map((child) => child.url),
    })),
    state,
    reads: isOpen && !isLoopbackHost(address.host) ? `${reads} who reaches this address` : reads,
    writes,
    needsKey: !isOpen,
  }
}
