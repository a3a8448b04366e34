import { cipherOf } from './differences.ts'
import type { Actual, Outcome, Prepared } from './model.ts'
import type { NodeState, Tried } from './node-state.ts'
import { withoutFound } from './offered.ts'
import type { Situation } from './situation.ts'

/** What became certain since the last look. Pure. */
export function outcomeOf(prepared: Prepared, actual: Actual, situation: Situation): Outcome {
  const { state, entries } = actual
  const proved: string[] = []
  const left = new Map<string, string>()
  const failed = new Map<string, Pick<Tried, 'desired' | 'problem'>>()
  // While a reload is owed, what lies on disk is not what GeoServer has.
  for (const [key, tried] of state.owed.reload ? [] : state.tried) {
    const [here, wanted] = [entries.get(key)?.digest ?? '', prepared.entries.get(key)?.digest ?? '']
    const isDone = tried.done === true && tried.problem === undefined
    if (here !== wanted) {
      if (!isDone || tried.desired !== wanted || tried.left !== undefined) continue
      left.set(key, here)
      if (tried.way === 'reload') failed.set(key, { desired: wanted, problem: OTHERWISE })
      continue
    }
    const agrees = actual.agrees.get(key)
    if (agrees === true && (isDone || tried.problem !== undefined)) proved.push(key)
    // What was refused of an earlier release may be in GeoServer's memory all the same.
    const isOther = tried.desired !== wanted && tried.problem !== undefined
    if (agrees === false && (isDone || isOther)) failed.set(key, { desired: wanted, problem: unread(key, prepared) })
  }
  const isDone = situation.due.length + situation.failing.size + situation.waiting.size === 0
  const applied = isDone ? prepared.number : state.applied
  return {
    applied,
    served: isWhole(prepared, actual, situation, proved.length) ? prepared.number : state.served,
    agreed: agreedOf(prepared, actual),
    ciphers: ciphersOf(prepared, actual, new Set(proved)),
    proved,
    left,
    settled: [
      ...[...state.found].filter((key) => !entries.has(key) || prepared.entries.has(key)),
      ...[...state.removed].filter((key) => entries.has(key) || !state.base.has(key)),
    ],
    failed,
    done: situation.requests.needless,
  }
}

/** Whether everything of the release is proved once `proving` more are. What is told to a person, and left as configured, is no gap. */
function isWhole({ entries }: Prepared, { state }: Actual, situation: Situation, proving: number): boolean {
  const { differences, failing, reload } = situation
  const open = differences.some(({ decision }) => decision.do !== 'report')
  return entries.size > 0 && !open && failing.size === 0 && reload === undefined && state.tried.size === proving
}

function agreedOf({ entries: desired }: Prepared, { entries, state }: Actual): Outcome['agreed'] {
  const agreed = new Map<string, string | undefined>()
  for (const [key, { digest }] of desired) {
    if (entries.get(key)?.digest === digest && state.base.get(key) !== digest) agreed.set(key, digest)
  }
  for (const key of state.base.keys()) if (!desired.has(key) && !entries.has(key)) agreed.set(key, undefined)
  for (const [key, digests] of state.offered) {
    const wanted = desired.get(key)?.digest
    if (digests.includes(wanted ?? '')) agreed.set(key, wanted)
  }
  return agreed
}

/** Of what was proved just now, and of what was here before anything was brought. */
function ciphersOf(
  { entries: desired }: Prepared,
  { entries, state }: Actual,
  proved: ReadonlySet<string>,
): Outcome['ciphers'] {
  const ciphers = new Map<string, string>()
  for (const [key, wanted] of desired) {
    const [before, cipher] = [state.ciphers.get(key), cipherOf(wanted)]
    const here = entries.get(key)
    if (before === cipher || here?.digest !== wanted.digest || (before === undefined && cipher === '')) continue
    const isUntried = before === undefined && !state.tried.has(key)
    if (proved.has(key) || isUntried || cipherOf(here) === cipher) ciphers.set(key, cipher)
  }
  return ciphers
}

function unread(key: string, { entries }: Prepared): NonNullable<Tried['problem']> {
  const entry = entries.get(key)
  if (entry === undefined) {
    return { message: 'its file is gone, but GeoServer still has it', hint: RELOAD_HINT }
  }
  if (entry.encrypted.length > 0) return UNDECIPHERABLE
  return { message: 'its file is there, but GeoServer does not have it', hint: RELOAD_HINT }
}

const RELOAD_HINT = 'The log of GeoServer says why; `flotilla catalog reload` makes it read the file again.'

/** facts: a store whose password GeoServer cannot decrypt vanishes at a reload without a word, and is answered 500 over REST. */
export const UNDECIPHERABLE = {
  message: 'GeoServer cannot decrypt its password: the keystore of this node is another one than that of the source',
  hint: 'Give this node the keystore and master password of the others, then restart its GeoServer; or write the password as a ${parameter}.',
} as const

const OTHERWISE = {
  message: 'GeoServer was given it and made something else of it',
  hint: '`flotilla catalog diff` shows how it differs; another version or a missing module may be why.',
} as const

export function isNews(outcome: Outcome, state: NodeState): boolean {
  const { agreed, ciphers, proved, left, settled, failed, done } = outcome
  return (
    agreed.size + ciphers.size + proved.length + left.size + settled.length + failed.size + done.length > 0 ||
    state.applied !== outcome.applied ||
    state.served !== outcome.served
  )
}

/** The state once that is recorded. Pure. */
export function withOutcome(state: NodeState, outcome: Outcome): NodeState {
  const { agreed, ciphers, proved, left, settled, failed, done, applied, served } = outcome
  const tried = new Map(state.tried)
  for (const key of proved) tried.delete(key)
  for (const [key, digest] of left) replace(tried, key, { left: digest })
  for (const [key, why] of failed) replace(tried, key, why)
  return {
    ...state,
    applied,
    served,
    tried,
    ciphers: ciphers.size === 0 ? state.ciphers : new Map([...state.ciphers, ...ciphers]),
    base: agreed.size === 0 ? state.base : withAgreed(state.base, agreed),
    found: without(state.found, settled),
    removed: without(state.removed, settled),
    requests: new Map([...state.requests, ...done.map(({ request, ...what }) => [request, what] as const)]),
    verdicts: withoutAgreed(state.verdicts, agreed),
    offered: withoutFound(state.offered, agreed),
  }
}

function without(keys: ReadonlySet<string>, settled: readonly string[]): ReadonlySet<string> {
  if (settled.length === 0 || keys.size === 0) return keys
  const gone = new Set(settled)
  return new Set([...keys].filter((key) => !gone.has(key)))
}

function replace(tried: Map<string, Tried>, key: string, more: Partial<Tried>): void {
  const before = tried.get(key)
  if (before !== undefined) tried.set(key, { ...before, ...more })
}

function withAgreed(base: NodeState['base'], agreed: Outcome['agreed']): NodeState['base'] {
  const next = new Map(base)
  for (const [key, digest] of agreed) {
    if (digest === undefined) next.delete(key)
    else next.set(key, digest)
  }
  return next
}

function withoutAgreed(verdicts: NodeState['verdicts'], agreed: Outcome['agreed']): NodeState['verdicts'] {
  if (![...verdicts.keys()].some((key) => agreed.has(key))) return verdicts
  return new Map([...verdicts].filter(([key]) => !agreed.has(key)))
}
