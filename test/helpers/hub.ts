import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HubClient } from '../../src/client/hub-client.ts'
import type { CreateTokenRequest, ErrorBody } from '../../src/core/api.ts'
import type { Clock } from '../../src/core/clock.ts'
import type { LogFields, Logger } from '../../src/core/log.ts'
import type { Store } from '../../src/core/store.ts'
import type { TreeKind } from '../../src/core/tree.ts'
import { ensureAdminToken } from '../../src/hub/bootstrap.ts'
import { FencedStore } from '../../src/hub/fenced-store.ts'
import { createHub, type Hub } from '../../src/hub/hub.ts'
import type { HubLimits } from '../../src/hub/limits.ts'
import type { Face } from '../../src/hub/route.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openFolderBlobs } from '../../src/releases/folder-blobs.ts'
import type { FolderFollower } from '../../src/releases/follow.ts'
import { Releases } from '../../src/releases/releases.ts'
import { MemoryStore } from '../../src/store/memory/memory-store.ts'
import { linesKind } from './lines-kind.ts'

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
  /** One request as it stands, without a client in between. */
  ask(method: string, path: string, request?: Ask): Promise<Asked>
  close(): Promise<void>
}

export interface Ask {
  readonly token?: Secret | string
  readonly json?: unknown
  readonly body?: string | Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

interface Asked {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Of an error answer. */
  readonly code: string | undefined
  readonly message: string | undefined
}

export interface TestHubOptions {
  /** Left open when the hub closes; a new one in memory when there is none. */
  readonly store?: Store
  readonly clock?: Clock
  readonly limits?: Partial<HubLimits>
  readonly hostNames?: readonly string[]
  readonly faces?: readonly Face[]
  /** Of trees; one made for tests unless told. */
  readonly kinds?: readonly TreeKind[]
  /** A folder that the hub follows. */
  readonly followers?: readonly FolderFollower[]
  readonly port?: number
  /** The administrator's token from before, for a store that has it already. */
  readonly admin?: Secret | undefined
}

/** A hub on a free port of the loopback, with everything it needs, in a folder of its own. */
export async function openTestHub(options: TestHubOptions = {}): Promise<TestHub> {
  const { clock = systemClock, limits, hostNames } = options
  const bare = options.store ?? new MemoryStore({ clock })
  const store = new FencedStore(bare)
  const folder = await mkdtemp(join(tmpdir(), 'flotilla-hub-'))
  const blobs = await openFolderBlobs(join(folder, 'blobs'), { clock })
  const releases = new Releases({ store, blobs, kinds: options.kinds ?? [linesKind], clock })
  const { log, lines } = recorder()
  const { faces, followers } = options
  const hub = await createHub({ store, blobs, releases, clock, log, limits, hostNames, faces, followers })
  const { url } = await hub.listen({ host: '127.0.0.1', port: options.port ?? 0 }).catch(async (error: unknown) => {
    await hub.close()
    throw error
  })
  const { token: admin } = await ensureAdminToken({ store, clock }, options.admin)
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
    store: bare,
    admin,
    client,
    lines,
    as,
    token: async (scopes, more) => new Secret((await client.createToken({ label: 'test', scopes, ...more })).token),
    node: async (node) => {
      const { code } = await client.createJoinCode()
      return new Secret((await client.join({ code, node })).token)
    },
    ask: (method, path, request) => ask(url, method, path, request),
    close: async () => {
      for (const open of clients) open.close()
      await hub.close()
      if (options.store === undefined) await store.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function ask(url: string, method: string, path: string, request: Ask = {}): Promise<Asked> {
  const { token, json, body = json === undefined ? undefined : JSON.stringify(json) } = request
  const answer = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { body }),
    redirect: 'manual',
    headers: {
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...(token !== undefined && { authorization: `Bearer ${token instanceof Secret ? token.reveal() : token}` }),
      ...request.headers,
    },
  })
  const text = await answer.text()
  const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true && text !== ''
  const error = isJson ? (JSON.parse(text) as Partial<ErrorBody> | null)?.error : undefined
  return { status: answer.status, headers: answer.headers, text, code: error?.code, message: error?.message }
}

/** A log that keeps what it is told. */
export function recorder(): { readonly log: Logger; readonly lines: readonly LogLine[] } {
  const lines: LogLine[] = []
  const at = (level: string) => (message: string, fields?: LogFields) => void lines.push({ level, message, fields })
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, lines }
}
