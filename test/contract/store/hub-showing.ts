import type { Store } from '../../../src/core/store.ts'
import type { Secret } from '../../../src/lib/secret.ts'
import { openRemoteStore } from '../../../src/store/remote/remote-store.ts'
import { openTestHub } from '../../helpers/hub.ts'

export interface Shown {
  /** As the API of the first hub shows it. */
  readonly store: Store
  /** Another hub, with a port of its own and the same administrator. */
  start(): Promise<Store>
  /** Ends the hub, and closes what it was on. */
  stop(): Promise<void>
}

/** A hub on the store that `open` answers, and that store as its API shows it. */
export async function hubShowing(open: () => Promise<Store>): Promise<Shown> {
  let admin: Secret | undefined
  const opened: { close(): Promise<void> }[] = []
  const start = async (): Promise<Store> => {
    const inner = await open()
    const hub = await openTestHub({ store: inner, admin })
    admin = hub.admin
    const remote = openRemoteStore({ url: hub.url, token: hub.admin })
    opened.push(remote, hub, inner)
    return remote
  }
  const stop = async (): Promise<void> => {
    for (const part of opened.splice(0)) await part.close()
  }
  return { store: await start(), start, stop }
}
