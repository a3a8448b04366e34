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
  /** Its place in the order of all calls and returns. */
  readonly at: number
  before: Event<Input, Output> | undefined
  after: Event<Input, Output> | undefined
}

/**
 * What was lost is tried last: most of it never took effect or has no need to have, and what was answered says soon
 * whether it had.
 */
export function isLinearizable<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
): boolean {
  const { head, lost } = chain(history)
  const taken: { call: Event<Input, Output>; state: State; lostAt: number }[] = []
  const tried = new Set<string>()
  let done = 0n
  let state = model.start
  let event = head.after
  let lostAt = 0
  while (event !== undefined) {
    const call: Event<Input, Output> | undefined = event.isCall ? event : lost[lostAt]
    // Where an operation returned that fitted nowhere before, and nothing that was lost before helps.
    if (call === undefined || call.operation.called > event.at) {
      const last = taken.pop()
      if (last === undefined) return false
      state = last.state
      done &= ~bitOf(last.call)
      if (last.call.ret !== undefined) putBack(last.call)
      event = last.call.ret === undefined ? firstReturn(head) : last.call.after
      lostAt = last.lostAt
      continue
    }
    const next =
      (done & bitOf(call)) === 0n ? model.step(state, call.operation.input, call.operation.output) : undefined
    const name = next === undefined ? '' : `${(done | bitOf(call)).toString(36)} ${model.nameOf(next)}`
    if (next === undefined || tried.has(name)) {
      if (call === event) event = event.after
      else lostAt++
      continue
    }
    tried.add(name)
    taken.push({ call, state, lostAt: call === event ? 0 : lostAt + 1 })
    state = next
    done |= bitOf(call)
    if (call.ret !== undefined) lift(call)
    event = head.after
    lostAt = 0
  }
  // What is left, if anything, are calls that never returned.
  return true
}

function bitOf({ id }: { readonly id: number }): bigint {
  return 1n << BigInt(id)
}

function firstReturn<Input, Output>(head: Event<Input, Output>): Event<Input, Output> | undefined {
  let event = head.after
  while (event?.isCall === true) event = event.after
  return event
}

/** The calls and returns of what was answered in order, as a doubly linked list after a head, and the calls of the rest. */
function chain<Input, Output>(
  history: readonly Operation<Input, Output>[],
): { readonly head: Event<Input, Output>; readonly lost: readonly Event<Input, Output>[] } {
  const events: Event<Input, Output>[] = []
  const lost: Event<Input, Output>[] = []
  for (const [id, operation] of history.entries()) {
    const link = { operation, id, ret: undefined, before: undefined, after: undefined }
    const call: Event<Input, Output> = { ...link, isCall: true, at: operation.called }
    if (operation.output === undefined) {
      lost.push(call)
      continue
    }
    call.ret = { ...link, isCall: false, at: operation.returned }
    events.push(call, call.ret)
  }
  events.sort((a, b) => a.at - b.at)
  lost.sort((a, b) => a.at - b.at)
  const head = { isCall: true, id: -1, at: -1 } as Event<Input, Output>
  let last = head
  for (const event of events) {
    last.after = event
    event.before = last
    last = event
  }
  return { head, lost }
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
