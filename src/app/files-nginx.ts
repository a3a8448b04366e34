import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { FilesConfig } from '../config/files.ts'
import { absolute } from '../config/paths.ts'
import type { Logger } from '../core/log.ts'
import { INCOMING } from '../files/io/parts.ts'
import { readApiKeys } from '../fileserver/key-files.ts'
import { type FiledistNode, renderFiledist } from '../fileserver/nginx/filedist.ts'
import type { ReadRights } from '../fileserver/nginx/keys.ts'
import { renderDirectServing } from '../fileserver/nginx/render.ts'
import type { Secret } from '../lib/secret.ts'

interface NginxDeps {
  readonly log: Logger
  /** Where relative paths of the configuration start. */
  readonly base: string
  /** May read everything, besides what the file of keys says. */
  readonly keys: readonly Secret[]
}

/**
 * nginx's configuration for a file service: `listen` is where nginx listens, in its own words. Rejects with what is wrong with the keys or
 * the paths.
 */
export async function nginxOf(config: FilesConfig, listen: string, deps: NginxDeps): Promise<string> {
  const trees = Object.entries(config.trees)
  return renderDirectServing({
    ...(await rightsOf(config, deps)),
    listen,
    upstream: upstreamOf(config),
    trees: trees.map(([name, { folder }]) => ({ name, folder: absolute(deps.base, folder) })),
    sendfilePrefix: config.sendfilePrefix,
  })
}

/** What only the nginx of a distribution tree is told. */
export type FiledistSettings = Pick<FiledistNode, 'server' | 'user' | 'pid' | 'logDir' | 'maxBodySize' | 'about'> & {
  /** Path of the URLs of a tree by its name, where that is another than the name. */
  readonly prefixes: Readonly<Record<string, string>>
}

/** The whole configuration of the nginx before a node of a distribution tree. Rejects likewise. */
export async function filedistOf(config: FilesConfig, settings: FiledistSettings, deps: NginxDeps): Promise<string> {
  const { prefixes, ...node } = settings
  const { nginxSocket, sendfilePrefix } = config
  const trees = Object.entries(config.trees).map(async ([name, tree]) => {
    const given = absolute(deps.base, tree.folder)
    // The file service takes files from where they are in truth.
    const folder = await realpath(given).catch(() => given)
    return { name, folder, prefix: prefixes[name] ?? `/${name}/`, incoming: join(folder, INCOMING) }
  })
  return renderFiledist({
    ...(await rightsOf(config, deps)),
    ...node,
    upstream: upstreamOf(config),
    trees: await Promise.all(trees),
    nginxSocket: nginxSocket === undefined ? undefined : absolute(deps.base, nginxSocket),
    sendfilePrefix,
  })
}

async function rightsOf(config: FilesConfig, { log, base, keys }: NginxDeps): Promise<ReadRights> {
  const { apiKeyFile, s3CredentialsFile, openReads, openJson, openWrites } = config
  const fromFile = apiKeyFile === undefined ? [] : await readApiKeys(absolute(base, apiKeyFile), log)
  const isClosed = apiKeyFile !== undefined || keys.length > 0 || s3CredentialsFile !== undefined
  const isOpen = openReads || openWrites || !isClosed
  return {
    keys: [
      ...fromFile.map(({ key, grant: { scopes } }) => ({ key, scopes })),
      ...keys.map((key) => ({ key, scopes: [] })),
    ],
    open: isOpen ? 'everything' : openJson ? 'json' : 'nothing',
  }
}

/** Whoever listens everywhere is reached on the same machine. */
function upstreamOf({ listen: { host, port } }: FilesConfig): { readonly host: string; readonly port: number } {
  return { host: ANY.has(host) ? '127.0.0.1' : host, port }
}

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::'])
