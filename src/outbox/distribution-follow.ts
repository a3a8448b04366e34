import type { Growing } from '../core/files/growing.ts'
import type { PutOperation } from '../core/push/operation.ts'
import type { Sender } from './sender.ts'

/** Lets every child follow a body that can, and releases it once when the last is through. */
export function follow(
  senders: readonly Pick<Sender, 'follow'>[],
  growing: Growing,
  outcome: Promise<PutOperation | undefined>,
  isRelayed: boolean,
): void {
  let readers = 1
  const release = (): void => {
    if (--readers === 0) growing.release()
  }
  for (const sender of senders) {
    readers++
    const isTaken = sender.follow(shared(growing, release), outcome)
    if (!isTaken) release()
    // The first passes it on to the others.
    else if (isRelayed) break
  }
  release()
}

function shared(growing: Growing, release: () => void): Growing {
  return {
    key: growing.key,
    get written() {
      return growing.written
    },
    get state() {
      return growing.state
    },
    changed: async (op) => growing.changed(op),
    read: async (buffer, position) => growing.read(buffer, position),
    release,
  }
}
