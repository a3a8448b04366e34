import { onTestFinished, type TestAPI } from 'vitest'
import type { Backend, ProxyDriver, RoutingTable } from '../../../src/core/routing/model.ts'
import { startBackend, type TestBackend } from '../../helpers/backends.ts'
import { type Answer, ask, type Asking } from '../../helpers/proxy-client.ts'

export interface ProxyUnderTest {
  readonly driver: ProxyDriver
  /** Where clients reach the proxy on 127.0.0.1, once a table was applied. Nothing else listens there. */
  readonly port: number
  /** From now on the proxy's own program refuses every new configuration; what comes back undoes it. */
  sabotage(): Promise<() => Promise<void>>
  /** Ends the proxy's process as a reboot would, and starts it again from what lies on the disk; without the driver. */
  restart(): Promise<void>
  /** Ends everything, also after a failure. */
  close(): Promise<void>
}

export interface ProxyTraits {
  /** Vitest's own, or what `needs` answers. */
  readonly test: TestAPI
  /** Whether drains, placement and liveness change without an effect on any connection of a client. */
  readonly keepsConnections: boolean
}

export interface Setting {
  readonly proxy: ProxyUnderTest
  readonly driver: ProxyDriver
  readonly backends: readonly TestBackend[]
  readonly apply: (table: RoutingTable) => ReturnType<ProxyDriver['apply']>
  readonly ask: (path: string, asking?: Asking) => Promise<Answer>
}

/** Runs the test with a proxy and that many servers behind it: `erd1`, `erd2` … */
export type WithProxy = (count: number, body: (setting: Setting) => Promise<void>) => () => Promise<void>

export function withProxy(open: () => Promise<ProxyUnderTest>): WithProxy {
  return (count, body) => async () => {
    const proxy = await open()
    onTestFinished(async () => await proxy.close())
    const backends = await backendsOf(count)
    await body({
      proxy,
      driver: proxy.driver,
      backends,
      apply: async (table) => await proxy.driver.apply(table, {}),
      ask: async (path, asking) => await ask(proxy.port, path, asking),
    })
  }
}

let made = 0

export async function backendsOf(count: number, prefix = 'erd'): Promise<readonly TestBackend[]> {
  const backends: TestBackend[] = []
  onTestFinished(async () => {
    await Promise.all(backends.map(async (backend) => await backend.stop()))
  })
  for (let index = 0; index < count; index++) {
    made += 1
    // An id says nothing of the order, as with the ids that nodes are given.
    backends.push(await startBackend(`${prefix}${index + 1}`, 1000 + ((made * 37) % 997)))
  }
  return backends
}

const ERDDAP = [{ system: 'erddap', base: '/erddap' }] as const

interface Wish extends Partial<Omit<RoutingTable, 'backends' | 'placement'>> {
  /** By node: what differs from a server that is up and has everything. */
  readonly change?: Readonly<Record<string, Partial<Backend>>>
  readonly placed?: Readonly<Record<string, readonly string[]>>
}

let asOf = 0

/** A table for ERDDAP in which every server is up, unless something else is wished for. */
export function tableOf(backends: readonly Backend[], { change = {}, placed = {}, ...wish }: Wish = {}): RoutingTable {
  asOf += 1
  return {
    asOf,
    revision: 1,
    rules: ERDDAP,
    everyNode: undefined,
    ...wish,
    backends: backends.map(({ node, id, host, port, weight, state, without }) => {
      const backend = { node, id, host, port, weight, state, without }
      return { ...backend, ...change[node] }
    }),
    placement: new Map(Object.entries(placed).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** A page of that dataset. */
export function page(dataset: string): string {
  return `/erddap/tabledap/${dataset}.csv?time`
}
