import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../../core/clock.ts'
import { FlotillaError, isError } from '../../../core/errors.ts'
import type { Logger } from '../../../core/log.ts'
import type { Op } from '../../../core/op.ts'
import type { ProxyDriver, RoutingTable } from '../../../core/routing/model.ts'
import { AdminSocket } from './admin.ts'
import type { HaproxyConfig } from './config.ts'
import { ConfigFolder, type Files } from './config-folder.ts'
import { checkFiles, runReload } from './programs.ts'
import { type Rendered, render, socketOf } from './render.ts'
import { look } from './running.ts'
import { isNothing, ordersFor, tell } from './tell.ts'

type How = 'unchanged' | 'told' | 'reloaded'

/**
 * A HAProxy, 2.6 or newer. Nodes, drains, liveness and placement it is told while it runs, and no connection notices. What
 * changes its shape, such as other rules, it learns by a reload. The files always hold the whole table: whatever
 * restarts HAProxy, it goes on where it was.
 */
export class HaproxyDriver implements ProxyDriver {
  readonly kind = 'haproxy'
  readonly #config: HaproxyConfig
  readonly #clock: Clock
  readonly #log: Logger
  readonly #admin: AdminSocket
  readonly #folder: ConfigFolder

  constructor(config: HaproxyConfig, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#log = log
    this.#config = config
    this.#clock = clock
    this.#admin = new AdminSocket(socketOf(config), clock)
    this.#folder = new ConfigFolder(config.folder)
  }

  render(table: RoutingTable): ReadonlyMap<string, string> {
    return new Map([...this.#render(table).files].map(([name, content]) => [join(this.#config.folder, name), content]))
  }

  async check(table: RoutingTable, op: Op): Promise<void> {
    await checkFiles(this.#config.haproxy, this.#render(table).files, op)
  }

  async apply(table: RoutingTable, op: Op): Promise<{ readonly how: How }> {
    const wanted = this.#render(table)
    const last = await this.#folder.differing(wanted.files)
    if (last.size > 0) {
      await checkFiles(this.#config.haproxy, wanted.files, op)
      await this.#folder.write(wanted.files, op)
    }
    const how = await this.#bring(wanted, last, op)
    await this.#folder.sweep(wanted.files)
    return { how }
  }

  #render(table: RoutingTable): Rendered {
    return render(table, { ...this.#config, owner: userInfo().username })
  }

  async #bring(wanted: Rendered, last: Files, op: Op): Promise<How> {
    const running = await look(this.#admin, op)
    if (running?.shape === wanted.shape) {
      const orders = ordersFor(wanted, running)
      try {
        await tell(this.#admin, orders, op)
        return isNothing(orders) ? 'unchanged' : 'told'
      } catch (error) {
        // What it cannot be told it can still read.
        if (!isError(error, 'PROXY_REFUSED', 'UNREACHABLE')) throw error
        this.#log.warn('HAProxy does not do as it is told, and is reloaded instead', { error: error.message })
      }
    }
    try {
      await runReload(this.#config.reload, op)
      await this.#takenOver(wanted, op)
    } catch (error) {
      if (running === undefined) throw notRunning(this.#config.folder, error)
      await this.#takeBack(last)
      throw error
    }
    return 'reloaded'
  }

  /** Resolves when the process that answers is the one that read the new files. */
  async #takenOver({ shape, fingerprint }: Rendered, op: Op): Promise<void> {
    const untilMs = this.#clock.monotonicMs() + this.#config.reloadMs
    for (;;) {
      const running = await look(this.#admin, op)
      if (running?.shape === shape && running.fingerprint === fingerprint) return
      if (this.#clock.monotonicMs() > untilMs) break
      await this.#clock.sleep(LOOK_EVERY_MS, op.signal)
    }
    throw new FlotillaError(
      'PROXY_REFUSED',
      `HAProxy did not take the new configuration up in ${this.#config.reloadMs} ms`,
      {
        hint: `Look into HAProxy’s own log, and whether ${this.#config.reload.join(' ')} makes it read ${this.#config.folder}/haproxy.cfg.`,
      },
    )
  }

  /** To the last good files. A reload that did not work may have left nobody behind who reads another one: so it is tried. */
  async #takeBack(last: Files): Promise<void> {
    if (last.size === 0) return
    await this.#folder.write(last, {})
    await runReload(this.#config.reload, {}).catch(() => undefined)
  }
}

const LOOK_EVERY_MS = 20

/** Then the new files stay: they were found good, and whoever starts it wants the newest. */
function notRunning(folder: string, cause: unknown): FlotillaError {
  if (!isError(cause, 'PROXY_REFUSED', 'UNREACHABLE')) throw cause
  const message = `HAProxy does not run, or not with Flotilla’s configuration. ${cause.message}`
  return new FlotillaError('UNREACHABLE', message, {
    hint: `Start it with ${folder}/haproxy.cfg. It will serve by the newest table at once.`,
  })
}
