/**
 * Decides whether a history of concurrent operations could have happened one at a time, each at some moment between its
 * call and its return. Wing and Gong's search with Lowe's memory of configurations that were tried: J. Wing, C. Gong,
 * "Testing and Verifying Concurrent Objects" (1993); G. Lowe, "Testing for Linearizability" (2017).
 */

export interface Operation<Input, Output> {
  readonly input: Input
  /** Undefined when the caller never learned it: the operation may have taken effect at any later time, or never. */
  readonly output: Output | undefined
  /** Places in one order of all calls and returns. `returned` is not looked at when there is no output. */
  readonly called: number
  readonly returned: number
}

export interface Model<State, Input, Output> {
  readonly start: State
  /** The state after the operation; undefined if it cannot answer `output` in this state. Never changes `state`. */
  step(state: State, input: Input, output: Output | undefined): State | undefined
  /** Equal exactly for equal states. */
  nameOf(state: State): string
}

interface Event<Input, Output> {
  readonly operation: Operation<Input, Output>
  readonly id: number
  /** Of a call whose return is known. */
  ret: Event<Input, Output> | undefined
  readonly isCall: boolean
  before: Event<Input, Output> | undefined
  after: Event<Input, Output> | undefined
}

export function isLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  const head = chain(history)
  const taken: { call: Event<Input, Output>; state: State }[] = []
  const tried = new Set<string>()
  let done = 0n
  let state = model.start
  let event = head.after
  while (event !== undefined) {
    if (event.isCall) {
      const { input, output } = event.operation
      const next = model.step(state, input, output)
      const bit = 1n << BigInt(event.id)
      const name = next === undefined ? undefined : `${(done | bit).toString(36)} ${model.nameOf(next)}`
      if (next === undefined || name === undefined || tried.has(name)) {
        event = event.after
        continue
      }
      tried.add(name)
      taken.push({ call: event, state })
      state = next
      done |= bit
      lift(event)
      event = head.after
    } else {
      // An operation returned that fitted nowhere before: take the last choice back and look further from there.
      const last = taken.pop()
      if (last === undefined) return false
      state = last.state
      done &= ~(1n << BigInt(last.call.id))
      putBack(last.call)
      event = last.call.after
    }
  }
  // What is left, if anything, are calls that never returned.
  return true
}

/** The calls and returns in order, as a doubly linked list after a head. */
function chain<Input, Output>(history: readonly Operation<Input, Output>[]): Event<Input, Output> {
  const moments: { at: number; event: Event<Input, Output> }[] = []
  for (const [id, operation] of history.entries()) {
    const link = { operation, id, ret: undefined, before: undefined, after: undefined }
    const call: Event<Input, Output> = { ...link, isCall: true }
    moments.push({ at: operation.called, event: call })
    if (operation.output === undefined) continue
    call.ret = { ...link, isCall: false }
    moments.push({ at: operation.returned, event: call.ret })
  }
  moments.sort((a, b) => a.at - b.at)
  const head = { isCall: true, id: -1 } as Event<Input, Output>
  let last = head
  for (const { event } of moments) {
    last.after = event
    event.before = last
    last = event
  }
  return head
}

function lift<Input, Output>(call: Event<Input, Output>): void {
  for (const event of [call, call.ret]) {
    if (event?.before !== undefined) event.before.after = event.after
    if (event?.after !== undefined) event.after.before = event.before
  }
}

function putBack<Input, Output>(call: Event<Input, Output>): void {
  for (const event of [call.ret, call]) {
    if (event?.before !== undefined) event.before.after = event
    if (event?.after !== undefined) event.after.before = event
  }
}
