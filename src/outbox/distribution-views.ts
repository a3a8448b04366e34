import { type ChildView, isHeard } from '../core/push/distribution.ts'
import type { Below } from '../core/push/wire.ts'
import type { Backlog } from './distribution-backlog.ts'
import type { Sender } from './sender.ts'

interface Seen {
  readonly name: string
  readonly url: string
  readonly sender: Sender
  readonly backlog: Backlog
}

/** How a child fares. */
export function viewOf({ name, url, sender, backlog }: Seen, isFedElsewhere: boolean): ChildView {
  const { state, stuck, error, hint, answer, heardMs } = sender
  const below = isHeard(sender) ? answer?.below?.error : undefined
  return {
    name,
    url,
    state,
    stuck: stuck.size,
    error,
    hint,
    below,
    heardMs,
    // Looked for when somebody wants to know: every write asks whether there are children.
    get behind() {
      return backlog.behind()
    },
    get etaMs() {
      return state === 'sending' ? backlog.etaMs() : undefined
    },
    ...(isFedElsewhere && { isFedElsewhere: true }),
  }
}

/** What keeps the first of these from its files, or a node below it; what will not end by itself before anything else. */
export function troubleOf(children: readonly Seen[], isDeep: boolean): Below | undefined {
  const seen = children.flatMap(({ name, sender }): Below[] => {
    const { state, error, stuck, answer } = sender
    const isOwn = !isHeard(sender) || stuck.size > 0
    if (isOwn && error !== undefined) return [{ error: `${name}: ${error}`, isRefusal: state === 'refused' }]
    const below = isDeep ? answer?.below : undefined
    return below === undefined ? [] : [{ ...below, error: `${name}: ${below.error}` }]
  })
  return seen.find(({ isRefusal }) => isRefusal) ?? seen[0]
}
