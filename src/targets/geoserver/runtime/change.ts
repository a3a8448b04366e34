import type { Op } from '../../../core/op.ts'
import type { DataDirectory } from '../directory/data-directory.ts'
import type { CatalogEntry } from '../definition/model.ts'
import { restPayload } from '../definition/rest-payload.ts'
import { meaningOf, type Meaning } from '../rest/answers.ts'
import type { Call, GeoServerClient } from '../rest/client.ts'
import { type Endpoint, endpointOf } from '../rest/endpoints.ts'
import { bodyType } from '../rest/style-body.ts'
import type { Actual, Change, Prepared } from './model.ts'
import type { NodeState, Tried } from './node-state.ts'
import { UNDECIPHERABLE } from './outcome.ts'
import { styleOf, wayOf } from './ways.ts'

interface Case {
  readonly prepared: Prepared
  readonly actual: Actual
  readonly change: Change
  readonly state: NodeState
}

interface ChangeParts {
  readonly client: GeoServerClient
  readonly directory: DataDirectory
}

type Problem = NonNullable<Tried['problem']>

/** Makes one change. Answers why GeoServer did not take it; rejects where GeoServer is not there to ask. */
export async function changeOne(all: Case, parts: ChangeParts, op: Op): Promise<Problem | undefined> {
  const { prepared, actual, change, state } = all
  const blocked = change.desired?.needs.find((need) => state.tried.get(need)?.problem !== undefined)
  if (blocked !== undefined) return { message: `it needs ${blocked}, which GeoServer did not take`, hint: HINT }
  const way = wayOf(change, { prepared, entries: actual.entries, state: actual.state })
  if (way === 'place') return await place(all, parts, op)
  const call = way === 'body' ? await bodyCall(all, op) : undefined
  const meaning =
    call === undefined ? await overRest(all, parts, op) : meaningOf(await parts.client.call(call, op), call)
  return problemOf(meaning, change)
}

const HINT = 'It is tried again by itself. The log of GeoServer says more.'

async function place({ prepared, change }: Case, { directory }: ChangeParts, op: Op): Promise<undefined> {
  await directory.placeAll([change], prepared.tree, op)
  return undefined
}

/** What a style says, byte by byte. */
async function bodyCall({ prepared, actual, change, state }: Case, op: Op): Promise<Call | undefined> {
  const style = styleOf(change, { prepared, entries: actual.entries, state })
  const endpoint = style === undefined ? undefined : endpointOf(style, (key) => prepared.entries.get(key))
  if (endpoint === undefined || change.desired === undefined) return undefined
  const content = await prepared.tree.read(change.desired.path, op)
  const type = bodyType(change.desired.path, content)
  return { method: 'PUT', path: `${endpoint.item}?raw=true`, body: { type, content } }
}

async function overRest(all: Case, { client, directory }: ChangeParts, op: Op): Promise<Meaning> {
  const { prepared, actual, change } = all
  const { key, desired } = change
  const from = desired === undefined ? actual.entries : prepared.entries
  const endpoint = endpointOf(key, (each) => from.get(each))
  if (endpoint === undefined) return { is: 'refused', words: 'has no REST for it' }
  if (desired === undefined) {
    const answer = await client.call({ method: 'DELETE', path: `${endpoint.item}${endpoint.removal ?? ''}` }, op)
    const meaning = meaningOf(answer, { method: 'DELETE' })
    // With what it belonged to, it may have gone already.
    return meaning.is === 'absent' ? { is: 'done' } : meaning
  }
  return await put(all, desired, { endpoint, client, directory }, op)
}

async function put(
  { prepared, actual, change }: Case,
  desired: CatalogEntry,
  { endpoint, client, directory }: ChangeParts & { readonly endpoint: Endpoint },
  op: Op,
): Promise<Meaning> {
  const released = await prepared.tree.read(desired.path, op)
  const bytes = await directory.withOwn({ desired, local: change.local }, released)
  // As it is now: what was changed before it in the same work may have changed it too.
  const previous = change.local === undefined ? undefined : directory.now(change.local)?.bytes
  const version = actual.application.is === 'up' ? actual.application.version : ''
  const { body: content } = restPayload(desired, bytes, previous, version)
  const body = { type: 'application/xml', content }
  const isEncrypted = desired.encrypted.length > 0
  const send = async (method: 'POST' | 'PUT', path: string): Promise<Meaning> =>
    meaningOf(await client.call({ method, path, body }, op), { method, isEncrypted })
  const { collection, item } = endpoint
  const isNew = change.local === undefined && collection !== undefined
  const first = isNew ? await send('POST', collection) : await send('PUT', item)
  // Another object may have brought it along, or have taken it with it.
  if (isNew && first.is === 'duplicate') return await send('PUT', item)
  const isMadeAfterAll = !isNew && first.is === 'absent' && collection !== undefined
  const meaning = isMadeAfterAll ? await send('POST', collection) : first
  const isPosted = (isNew || isMadeAfterAll) && meaning.is === 'done'
  return isPosted && isDisabled(content) ? await send('PUT', item) : meaning
}

/** facts: a feature type or a coverage that is posted is enabled, whatever the payload says. */
function isDisabled(content: string): boolean {
  return /^<(?:featureType|coverage)>/.test(content) && /<enabled>false<\/enabled>/.test(content)
}

function problemOf(meaning: Meaning, { desired }: Change): Problem | undefined {
  if (meaning.is === 'done') return undefined
  if (meaning.is === 'undecipherable') return UNDECIPHERABLE
  const words = meaning.words === '' ? '' : `: ${meaning.words}`
  if (meaning.is === 'in-use') {
    return {
      message: `GeoServer does not delete it while it is in use${words}`,
      hint: `${HINT} Something that no release has may use it.`,
    }
  }
  if (meaning.is === 'refused') return { message: `GeoServer ${meaning.words}`, hint: HINT }
  const what = desired === undefined ? 'delete' : 'write'
  return { message: `GeoServer could not ${what} it, as it is ${meaning.is}${words}`, hint: HINT }
}
