import type { Operation } from '../../core/push/operation.ts'
import { type Outcome, RELAY_HEADER, RELAY_MAX } from '../../core/push/wire.ts'
import { parameter } from '../../lib/s3/target.ts'
import { Secret } from '../../lib/secret.ts'
import { bearerOf } from '../authenticate.ts'
import type { FedCall } from './fed-call.ts'
import { bad } from './frame-reader.ts'

/** What was done of these, passed on to the siblings that the parent names, if this node may do so: who has it then is in the outcomes. */
export async function passedOn(
  call: FedCall,
  operations: readonly Operation[],
  outcomes: readonly Outcome[],
): Promise<readonly Outcome[]> {
  const { tree, request, target, signal } = call
  const relay = tree.distribution?.relay
  const urls = siblingsIn(request.headers[RELAY_HEADER])
  if (relay === undefined || urls.length === 0) return outcomes
  const done = operations.flatMap((operation, at) => (isDone(outcomes[at]) ? [{ operation, at }] : []))
  if (done.length === 0) return outcomes
  const key = bearerOf(request) ?? parameter(target.query, 'apikey')
  const siblings = { urls, key: key === undefined ? undefined : new Secret(key) }
  const reached = await relay.passOn(
    done.map(({ operation }) => operation),
    siblings,
    { signal },
  )
  const told = [...outcomes]
  done.forEach(({ at }, index) => {
    const outcome = told[at]
    if (isDone(outcome)) told[at] = { ...outcome, relayed: reached[index] ?? [] }
  })
  return told
}

export type DoneOutcome = Exclude<Outcome, { readonly result: 'wanted' | 'failed' }>

export function isDone(outcome: Outcome | undefined): outcome is DoneOutcome {
  return outcome !== undefined && outcome.result !== 'failed' && outcome.result !== 'wanted'
}

function siblingsIn(header: string | readonly string[] | undefined): readonly string[] {
  const words = typeof header === 'string' ? header.split(' ').filter((word) => word !== '') : []
  if (words.length > RELAY_MAX) throw bad(`it names more than ${RELAY_MAX} siblings`)
  return words.map((word) => {
    if (!URL.canParse(word) || !/^https?:$/.test(new URL(word).protocol)) throw bad('a sibling is no URL')
    return decodeURI(word)
  })
}
