import { join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import { FlotillaError, isError } from '../../../core/errors.ts'
import type { ProxyDriver, RoutingTable } from '../../../core/routing/model.ts'
import type { NginxConfig } from './config.ts'
import { Installation } from './installation.ts'
import { render, type Rendered, renderForCheck } from './render.ts'
import { TABLE, type TableText } from './table-text.ts'

type Options = Parameters<ProxyDriver['apply']>[1]
type Applied = Awaited<ReturnType<ProxyDriver['apply']>>

/**
 * nginx from the system's packages. With its Lua module everything but the rules is told at run time, and no connection notices;
 * without, every change is a reload, at most one in `reloadEveryMs`: `apply` waits for its turn.
 */
export class NginxDriver implements ProxyDriver {
  readonly kind = 'nginx'
  readonly #config: NginxConfig
  readonly #installation: Installation

  constructor(config: NginxConfig, { clock }: { readonly clock: Clock }) {
    this.#config = config
    this.#installation = new Installation(config, clock)
  }

  render(table: RoutingTable): ReadonlyMap<string, string> {
    const { files, table: told } = render(table, this.#config)
    const all = [...files, ...(told === undefined ? [] : [[TABLE, told.text] as const])]
    return new Map(all.map(([path, text]) => [join(this.#config.folder, path), text]))
  }

  async check(table: RoutingTable, { signal }: Options): Promise<void> {
    await this.#installation.judge((folder) => renderForCheck(table, { ...this.#config, folder }), signal)
  }

  async apply(table: RoutingTable, options: Options): Promise<Applied> {
    const rendered = render(table, this.#config)
    const running = await this.#installation.status.ask(options.signal)
    if (running?.config !== rendered.version || !(await this.#installation.holds(rendered.files))) {
      await this.#install(table, rendered, options)
      return { how: 'reloaded' }
    }
    if (rendered.table === undefined) return { how: 'unchanged' }
    const before = await this.#installation.readTable()
    if (before === rendered.table.text && running.table === rendered.table.version) return { how: 'unchanged' }
    await this.#tell(rendered.table, before, options)
    return { how: 'told' }
  }

  async #install(table: RoutingTable, rendered: Rendered, options: Options): Promise<void> {
    await this.check(table, options)
    const before = await this.#installation.readTable()
    // Before the reload: workers that begin must find it.
    if (rendered.table !== undefined) await this.#installation.writeTable(rendered.table.text)
    try {
      await this.#installation.install(rendered.files, rendered.version, options.signal)
    } catch (error) {
      if (isError(error, 'PROXY_REFUSED') && before !== undefined) await this.#installation.writeTable(before)
      throw error
    }
    if (rendered.table !== undefined) await this.#tell(rendered.table, before, options)
  }

  /** The file is the truth, also for an nginx that starts later; the hint only makes it look. */
  async #tell(table: TableText, before: string | undefined, { signal }: Options): Promise<void> {
    await this.#installation.writeTable(table.text)
    const now = await this.#installation.status.ask(signal)
    if (now?.table === table.version) return
    if (now === undefined) throw new FlotillaError('UNREACHABLE', `nginx does not answer at ${this.#config.control}`)
    if (before !== undefined) await this.#installation.writeTable(before)
    throw new FlotillaError('PROXY_REFUSED', `nginx did not take the table of routes: ${now.error}`, {
      hint: `Its workers must be able to read ${join(this.#config.folder, TABLE)}.`,
    })
  }
}
