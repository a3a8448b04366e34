import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HubClient } from '../../src/client/hub-client.ts'
import type { CreateTokenRequest } from '../../src/core/api.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { LogFields, Logger } from '../../src/core/log.ts'
import type { Store } from '../../src/core/store.ts'
import type { CheckResult, FileTree, ItemChange, TreeKind } from '../../src/core/tree.ts'
import { ensureAdminToken } from '../../src/hub/bootstrap.ts'
import { createHub, type Hub } from '../../src/hub/hub.ts'
import type { HubLimits } from '../../src/hub/limits.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import { Releases } from '../../src/releases/releases.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'

/** A kind of tree for tests of what does not depend on kinds: each file is an item, and `bad` in its name is an error. */
export const plainKind: TreeKind = {
  kind: 'plain',
  check: async (tree: FileTree): Promise<CheckResult> => ({
    problems: tree.files
      .filter(({ path }) => path.includes('bad'))
      .map(({ path }) => ({
        severity: 'error',
        code: 'XML_MALFORMED',
        file: path,
        line: 1,
        column: 1,
        message: 'bad',
      })),
    items: tree.files.map(({ path, sha256 }) => ({
      id: idOf(path),
      type: 'Plain',
      active: true,
      path,
      line: 1,
      digest: sha256,
    })),
  }),
  compare: async (from: FileTree, to: FileTree): Promise<readonly ItemChange[]> => {
    const before = new Map(from.files.map(({ path, sha256 }) => [path, sha256]))
    const after = new Map(to.files.map(({ path, sha256 }) => [path, sha256]))
    return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((path): readonly ItemChange[] => {
      if (before.get(path) === after.get(path)) return []
      const effect = !before.has(path) ? 'added' : !after.has(path) ? 'removed' : 'soft'
      return [{ id: idOf(path), effect, path, details: [] }]
    })
  },
}

const idOf = (path: string): string => path.replaceAll(/\W/g, '_')

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields?: LogFields | undefined
}

export interface TestHub {
  readonly hub: Hub
  readonly url: string
  readonly store: Store
  readonly admin: Secret
  /** Speaks as the administrator. */
  readonly client: HubClient
  readonly lines: readonly LogLine[]
  /** A new token with these scopes. */
  token(scopes: readonly string[], more?: Partial<CreateTokenRequest>): Promise<Secret>
  /** A new node's credential. */
  node(name: string): Promise<Secret>
  /** A client with that token; closed with the hub. */
  as(token: Secret): HubClient
  close(): Promise<void>
}

export interface TestHubOptions {
  /** Left open when the hub closes; a new one in memory when there is none. */
  readonly store?: Store
  readonly clock?: Clock
  readonly limits?: Partial<HubLimits>
  readonly hostNames?: readonly string[]
}

/** A hub on a free port of the loopback, with everything it needs, in a folder of its own. */
export async function openTestHub(options: TestHubOptions = {}): Promise<TestHub> {
  const { clock = systemClock, limits, hostNames } = options
  const store = options.store ?? new MemoryStore({ clock })
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-hub-'))
  const blobs = await openFolderBlobs(join(folder, 'blobs'), { clock })
  const releases = new Releases({ store, blobs, kinds: [plainKind], clock })
  const { log, lines } = recorder()
  const hub = await createHub({ store, blobs, releases, clock, log, limits, hostNames })
  const { url } = await hub.listen({ host: '127.0.0.1', port: 0 })
  const { token: admin } = await ensureAdminToken({ store, clock })
  const clients: HubClient[] = []
  const as = (token: Secret): HubClient => {
    const client = new HubClient({ url, token })
    clients.push(client)
    return client
  }
  const client = as(admin)
  return {
    hub,
    url,
    store,
    admin,
    client,
    lines,
    as,
    token: async (scopes, more) => new Secret((await client.createToken({ label: 'test', scopes, ...more })).token),
    node: async (node) => {
      const { code } = await client.createJoinCode()
      return new Secret((await client.join({ code, node })).token)
    },
    close: async () => {
      for (const open of clients) open.close()
      await hub.close()
      if (options.store === undefined) await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A log that keeps what it is told. */
export function recorder(): { readonly log: Logger; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = []
  const at = (level: string) => (message: string, fields?: LogFields) => void lines.push({ level, message, fields })
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}
