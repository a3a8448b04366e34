import { checkTable } from '../../src/core/routing/check-table.ts'
import type { ProxyDriver, RoutingTable } from '../../src/core/routing/model.ts'

/** A proxy that takes over whatever it is told, unless it is told not to. */
export class FakeProxyDriver implements ProxyDriver {
  readonly kind = 'haproxy'
  /** Every table that came into force. */
  readonly tables: RoutingTable[] = []
  calls = 0
  /** What the next tables are refused with. */
  fault: Error | undefined
  #held: { readonly until: Promise<void>; readonly release: () => void } | undefined

  get last(): RoutingTable | undefined {
    return this.tables.at(-1)
  }

  /** `erd1 up`, `erd2 drained -sst`: what is in force. */
  get states(): readonly string[] {
    const backends = this.last?.backends ?? []
    return backends.map(({ node, state, without }) =>
      [node, state, ...[...without].map((item) => `-${item}`)].join(' '),
    )
  }

  /** From now on `apply` takes until the answer is called. */
  hold(): () => void {
    let release = (): void => undefined
    const until = new Promise<void>((resolve) => (release = resolve))
    this.#held = { until, release }
    return () => {
      this.#held = undefined
      release()
    }
  }

  render(table: RoutingTable): ReadonlyMap<string, string> {
    checkTable(table)
    return new Map([['table', textOf(table)]])
  }

  async check(table: RoutingTable): Promise<void> {
    checkTable(table)
    if (this.fault !== undefined) throw this.fault
  }

  async apply(table: RoutingTable): ReturnType<ProxyDriver['apply']> {
    this.calls += 1
    await this.#held?.until
    await this.check(table)
    if (this.last !== undefined && textOf(this.last) === textOf(table)) return { how: 'unchanged' }
    this.tables.push(table)
    return { how: 'told' }
  }
}

/** Everything but `asOf`. */
export function textOf({ placement, backends, hot, ...others }: RoutingTable): string {
  const sorted = [...placement].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const plain = backends.map((backend) => Object.assign({}, backend, { without: [...backend.without].toSorted() }))
  return JSON.stringify({ ...others, asOf: 0, backends: plain, placement: sorted, hot: [...(hot ?? [])] })
}
