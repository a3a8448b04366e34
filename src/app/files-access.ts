import { stat } from 'node:fs/promises'
import type { FilesConfig } from '../config/files.ts'
import { absolute } from '../config/paths.ts'
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/log.ts'
import type { Service } from '../core/service.ts'
import { Access, type ApiKey } from '../fileserver/access.ts'
import { readApiKeys, readS3Credentials } from '../fileserver/key-files.ts'
import type { Secret } from '../lib/secret.ts'
import { sleepQuietly } from '../lib/waiting.ts'

interface AccessDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly base: string
  /** May read everything, as from the environment. */
  readonly keys: readonly Secret[]
}

const LOOK_MS = 2000

/**
 * Who may do what with a file service, as its files say it. A file that changes is read anew within seconds; one that cannot be
 * taken is told in the log, and what was there before stays in force.
 */
export class FilesAccess implements Service {
  readonly name = 'keys of files'
  readonly #config: FilesConfig
  readonly #deps: AccessDeps
  #peerKey: Secret | undefined
  #access: Access
  #seen: string

  private constructor(config: FilesConfig, deps: AccessDeps, access: Access, seen: string) {
    this.#config = config
    this.#deps = deps
    this.#access = access
    this.#seen = seen
  }

  /** Rejects with what is wrong with the files. */
  static async open(config: FilesConfig, deps: AccessDeps): Promise<FilesAccess> {
    const seen = await look(config, deps)
    return new FilesAccess(config, deps, await read(config, deps, undefined), seen)
  }

  get current(): Access {
    return this.#access
  }

  /**
   * The key by which nodes of a cluster know each other may read everything, and feed the trees that say so; without other keys everything is open to
   * readers anyway.
   */
  async take(peerKey: Secret): Promise<void> {
    if (peerKey.reveal() === this.#peerKey?.reveal()) return
    this.#access = await read(this.#config, this.#deps, peerKey)
    this.#peerKey = peerKey
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    while (await sleepQuietly(clock, LOOK_MS, signal)) {
      const seen = await look(this.#config, this.#deps)
      if (seen === this.#seen) continue
      this.#seen = seen
      try {
        this.#access = await read(this.#config, this.#deps, this.#peerKey)
        log.info('keys were read anew')
      } catch (error) {
        log.error('a file of keys cannot be taken; what it said before stays in force', { error: messageOf(error) })
      }
    }
  }
}

async function read(config: FilesConfig, deps: AccessDeps, peerKey: Secret | undefined): Promise<Access> {
  const { base, log, keys } = deps
  const { apiKeyFile, s3CredentialsFile, listen, openReads, openJson, openWrites } = config
  const everything = { isWrite: false, scopes: [] }
  const fromFile = apiKeyFile === undefined ? [] : await readApiKeys(absolute(base, apiKeyFile), log)
  const credentials =
    s3CredentialsFile === undefined ? undefined : await readS3Credentials(absolute(base, s3CredentialsFile), log)
  const hasKeys = apiKeyFile !== undefined || keys.length > 0
  const isOpen = !hasKeys && credentials === undefined
  const fed = openWrites && isOpen ? [] : fedByCluster(config)
  const peers = peerKey === undefined || (isOpen && fed.length === 0) ? [] : [peerKey]
  const others = [...keys, ...peers].map((key): ApiKey => ({ key, grant: everything }))
  const scopes = fed.map((tree) => `${tree}/`)
  const parents = peers
    .filter(() => fed.length > 0)
    .map((key): ApiKey => ({ key, grant: { isWrite: false, isParent: true, scopes } }))
  return new Access({
    apiKeys: hasKeys || peers.length > 0 ? [...fromFile, ...others, ...parents] : undefined,
    credentials,
    // The nodes' own key does not close what is open to everybody.
    openReads: openReads || isOpen,
    openJson,
    openWrites,
    host: listen.host,
  })
}

/** The trees that any node of the cluster may feed: none but those whose own configuration says so. */
export function fedByCluster({ trees, root }: FilesConfig): readonly string[] {
  if (root) return []
  return Object.entries(trees).flatMap(([name, { fed, elected }]) => (elected || fed === 'cluster' ? [name] : []))
}

/** Differs when a file has changed. */
async function look({ apiKeyFile, s3CredentialsFile }: FilesConfig, { base }: AccessDeps): Promise<string> {
  const paths = [apiKeyFile, s3CredentialsFile].flatMap((path) => (path === undefined ? [] : [absolute(base, path)]))
  const seen = paths.map(async (path) => {
    const found = await stat(path, { bigint: true }).catch(() => undefined)
    return found === undefined ? 'absent' : `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs} ${found.mode}`
  })
  return (await Promise.all(seen)).join(', ')
}
