import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../core/clock.ts'
import { FlotillaError } from '../../core/errors.ts'
import type { ChangePage } from '../../core/files/peer.ts'
import { BEAT_MS, changeLine } from '../../core/files/peer-wire.ts'
import type { TreeIndex } from '../../core/files/tree-index.ts'
import { ChangeWaiters } from './change-waiters.ts'
import { askedOf, type Scope, scopeOf, sinceOf } from './changes-request.ts'
import type { TreeCall } from './peer-call.ts'

/** Tells what changed, page by page; whoever has seen everything waits here for the next change. */
export class Changes {
  readonly #clock: Clock
  readonly #waiters = new Map<TreeIndex, ChangeWaiters>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async answer({ request, response, target, tree, allowed, signal }: TreeCall): Promise<void> {
    const asked = await askedOf(request, target.query)
    const scope = scopeOf(asked.prefixes, allowed)
    const waiters = this.#waitersOf(tree.index)
    const untilMs = this.#clock.monotonicMs() + asked.waitMs
    const leftMs = (): number => untilMs - this.#clock.monotonicMs()
    for (let since = sinceOf(asked.since, scope); ;) {
      // Armed before looking, so that no change falls between the two.
      using waiting = waiters.arm()
      const found = await lookAt(tree.index, since, scope)
      signal.throwIfAborted()
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' })
      }
      if (!isNothing(found.first) || leftMs() <= 0 || waiters.isClosed) {
        return await send(response, found, scope, signal)
      }
      since = found.first.cursor
      response.flushHeaders()
      for (let isChanged = false; !isChanged && leftMs() > 0;) {
        isChanged = await waiting.change(Math.min(leftMs(), BEAT_MS), signal)
        if (!isChanged) response.write('\n')
      }
    }
  }

  close(): void {
    for (const waiters of this.#waiters.values()) waiters.close()
  }

  #waitersOf(index: TreeIndex): ChangeWaiters {
    const known = this.#waiters.get(index) ?? new ChangeWaiters(index, this.#clock)
    this.#waiters.set(index, known)
    return known
  }
}

interface Look {
  readonly first: ChangePage
  readonly rest: Iterator<ChangePage>
}

/** The first page that says something. */
async function lookAt(index: TreeIndex, since: string | undefined, { prefixes }: Scope): Promise<Look> {
  const rest = index.changes({ since, prefixes })[Symbol.iterator]()
  let first = nextOf(rest)
  while (!first.reset && first.changes.length === 0 && first.cursor === undefined) {
    await setImmediate()
    first = nextOf(rest)
  }
  return { first, rest }
}

function isNothing({ reset, changes, cursor }: ChangePage): boolean {
  return !reset && changes.length === 0 && cursor !== undefined
}

function nextOf(pages: Iterator<ChangePage>): ChangePage {
  const next = pages.next()
  if (next.done === true) throw new FlotillaError('INTERNAL', 'the index ended its changes without a cursor')
  return next.value
}

/** Writes what whoever asks can take, then lets others work before it looks for more. */
async function send(response: ServerResponse, { first, rest }: Look, scope: Scope, signal: AbortSignal): Promise<void> {
  try {
    let text = `{"reset":${first.reset}}\n`
    for (let page = first; ; page = nextOf(rest)) {
      for (const change of page.changes) text += changeLine(change)
      if (page.cursor !== undefined) {
        response.end(`${text}${JSON.stringify({ cursor: page.cursor + scope.mark })}\n`)
        return
      }
      if (response.write(text)) await setImmediate()
      else await once(response, 'drain', { signal })
      text = ''
    }
  } finally {
    rest.return?.()
  }
}
