import type { FilesConfig } from '../config/files.ts'
import { absolute } from '../config/paths.ts'
import type { Logger } from '../core/log.ts'
import { readApiKeys } from '../fileserver/key-files.ts'
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
export async function nginxOf(config: FilesConfig, listen: string, { log, base, keys }: NginxDeps): Promise<string> {
  const { apiKeyFile, s3CredentialsFile, openReads, openJson, openWrites, sendfilePrefix } = config
  const fromFile = apiKeyFile === undefined ? [] : await readApiKeys(absolute(base, apiKeyFile), log)
  const isClosed = apiKeyFile !== undefined || keys.length > 0 || s3CredentialsFile !== undefined
  const isOpen = openReads || openWrites || !isClosed
  const { host, port } = config.listen
  const trees = Object.entries(config.trees)
  return renderDirectServing({
    listen,
    upstream: { host: ANY.has(host) ? '127.0.0.1' : host, port },
    trees: trees.map(([name, { folder }]) => ({ name, folder: absolute(base, folder) })),
    keys: [
      ...fromFile.map(({ key, grant: { scopes } }) => ({ key, scopes })),
      ...keys.map((key) => ({ key, scopes: [] })),
    ],
    open: isOpen ? 'everything' : openJson ? 'json' : 'nothing',
    sendfilePrefix,
  })
}

/** Whoever listens everywhere is reached on the same machine. */
const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::'])
