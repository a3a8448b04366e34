import type { Op } from '../../../core/op.ts'
import { forEachLimited } from '../../../lib/limited.ts'
import { type GeoServerClient, refusal } from '../rest/client.ts'
import { nameIn, splitKey } from '../definition/names.ts'
import { endpointOf } from '../rest/endpoints.ts'
import type { Actual, Prepared } from './model.ts'

/** Questions of one look; the others are for the next. */
const ASKED_MAX = 500
const AT_ONCE = 4

interface Question {
  readonly key: string
  readonly name: string
  readonly isWanted: boolean
}

/**
 * Whether GeoServer has what was tried, or no longer has it. What REST does not know has no other proof than its file. Objects of one
 * collection are asked for by its list: a feature type on its own would be answered with what its database says of it.
 */
export async function ask(
  { entries: desired }: Prepared,
  { entries, state }: Pick<Actual, 'entries' | 'state'>,
  client: GeoServerClient,
  op: Op,
): Promise<ReadonlyMap<string, boolean>> {
  const agrees = new Map<string, boolean>()
  const lists = new Map<string, Question[]>()
  const single: (readonly [path: string, question: Question])[] = []
  for (const key of state.tried.keys()) {
    const wanted = desired.get(key)
    if (entries.get(key)?.digest !== wanted?.digest) continue
    const endpoint = endpointOf(key, (each) => desired.get(each) ?? entries.get(each))
    const question = { key, name: nameIn(splitKey(key).name).name, isWanted: wanted !== undefined }
    if (endpoint === undefined) agrees.set(key, true)
    else if (endpoint.collection === undefined) single.push([endpoint.item, question])
    else lists.set(endpoint.collection, [...(lists.get(endpoint.collection) ?? []), question])
  }
  await forEachLimited([...lists].slice(0, ASKED_MAX), AT_ONCE, async ([collection, questions]) => {
    const names = await namesIn(collection, client, op)
    for (const { key, name, isWanted } of questions)
      if (names !== undefined) agrees.set(key, names.has(name) === isWanted)
  })
  await forEachLimited(single.slice(0, ASKED_MAX), AT_ONCE, async ([path, { key, isWanted }]) => {
    const { status } = await client.call({ method: 'GET', path }, op)
    if (status === 200 || status === 404) agrees.set(key, (status === 200) === isWanted)
  })
  return agrees
}

/** In XML, for in JSON a name such as `007` arrives as a number. Undefined where GeoServer cannot say. */
async function namesIn(collection: string, client: GeoServerClient, op: Op): Promise<ReadonlySet<string> | undefined> {
  const call = { method: 'GET', path: `${collection}.xml` } as const
  const answer = await client.call(call, op)
  // The store, or the workspace, is not there either.
  if (answer.status === 404) return new Set()
  if (answer.status >= 500) return undefined
  if (answer.status !== 200) throw refusal(call, answer)
  return new Set(
    [...answer.text.matchAll(/<(?:name|prefix)>([^<]*)<\/(?:name|prefix)>/g)].map(([, name = '']) => unescaped(name)),
  )
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescaped(text: string): string {
  return text.replace(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => ENTITIES[name] ?? '')
}
