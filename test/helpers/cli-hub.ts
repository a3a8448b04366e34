import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HubConfig, hubSchema } from '../../src/config/hub.ts'
import { runHub } from '../../src/app/hub.ts'
import { HubClient } from '../../src/client/hub-client.ts'
import { keys } from '../../src/core/keys.ts'
import { silent } from '../../src/core/log.ts'
import type { ItemState, NodeTarget } from '../../src/core/target.ts'
import { Secret } from '../../src/lib/secret.ts'
import { systemClock } from '../../src/lib/system-clock.ts'
import { openRemoteStore } from '../../src/store/remote/remote-store.ts'
import { type CliResult, runCli } from './cli.ts'

export interface CliHub {
  readonly url: string
  /** Of the API of Digital Rebar over TLS, where it is configured. */
  readonly drpUrl: string | undefined
  readonly tokenFile: string
  readonly folder: string
  readonly client: HubClient
  /** Runs a command line against this hub, in `folder`. */
  cli(...argv: readonly string[]): Promise<CliResult>
  /** Joins a node and lets it report; undefined parts stay out. */
  node(name: string, report?: Partial<NodeTarget>, items?: Readonly<Record<string, ItemState>>): Promise<void>
  close(): Promise<void>
}

/** A whole hub, as `flotilla up` starts it, in this process and in a folder of its own. */
export async function startCliHub(config: Partial<HubConfig> = {}): Promise<CliHub> {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-cli-'))
  const stop = new AbortController()
  const base = hubSchema.parse({ data: join(folder, 'hub'), listen: '127.0.0.1:0' })
  const deps = { clock: systemClock, log: silent, signal: stop.signal, base: folder }
  const opened: (() => Promise<void>)[] = []
  let running: Promise<void> = Promise.resolve()
  const ready = await new Promise<{ url: string; drpUrl: string | undefined; tokenFile: string }>((resolve, reject) => {
    running = runHub({ ...base, ...config }, deps, (hub) => Promise.resolve(resolve(hub)))
    running.catch(reject)
  })
  const { url, drpUrl, tokenFile } = ready
  const client = new HubClient({ url, token: new Secret(readFileSync(tokenFile, 'utf8').trim()) })
  const env = { FLOTILLA_URL: url, FLOTILLA_TOKEN_FILE: tokenFile }
  return {
    url,
    drpUrl,
    tokenFile,
    folder,
    client,
    cli: (...argv) => runCli(argv, { env, cwd: folder }),
    node: async (name, report, items) => {
      const { code } = await client.createJoinCode()
      const token = new Secret((await client.join({ code, node: name })).token)
      const store = openRemoteStore({ url, token })
      opened.push(() => store.close())
      if (report === undefined) return
      const lease = await store.grantLease(60_000)
      const alive = { node: name, version: '0.1.0', startedAtMs: Date.now(), values: ['data'], instance: name }
      const applied = report.applied ?? 1
      await store.commit({
        changes: [
          { op: 'put', key: keys.alive(name), value: JSON.stringify(alive), leaseId: lease.id },
          {
            op: 'put',
            key: keys.target(name, 'datasets'),
            value: JSON.stringify({ ...REPORT, ...report, atMs: Date.now() }),
          },
          { op: 'put', key: keys.datasets(name, 'datasets'), value: JSON.stringify({ applied, items: items ?? {} }) },
        ],
      })
    },
    close: async () => {
      client.close()
      await Promise.all(opened.map((close) => close()))
      stop.abort()
      await running
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const REPORT: Omit<NodeTarget, 'atMs'> = {
  kind: 'erddap',
  state: 'in-step',
  staged: 1,
  applied: 1,
  served: 1,
  warnings: [],
  version: '2.31',
  progress: { done: 2, total: 2 },
  troubled: {},
}
