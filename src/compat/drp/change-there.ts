import type { JsonObject } from '../../core/json-patch/json.ts'
import { type About, notFound } from './refusal.ts'
import { onceOfRetry, type Retries } from './retries.ts'
import type { Asking, Kind, Thing } from './things.ts'

/** What to make of an object that is there, as `edit` of `Change`. */
export type EditThere = (object: JsonObject, about: About) => JsonObject | undefined

/** Changes an object that has to be there, and answers a retry as the first try. Throws 404 where it is not, and what `edit` throws. */
export async function changeThere(
  { kind, retries }: { readonly kind: Kind; readonly retries: Retries },
  asking: Asking,
  { key, action, edit }: { readonly key: string; readonly action: string; readonly edit: EditThere },
): Promise<Thing> {
  const { request } = asking
  const about: About = { model: kind.model, key, type: request.method }
  const once = onceOfRetry(asking, request.body)
  const editThere = (object: JsonObject | undefined): JsonObject | undefined => {
    if (object === undefined) throw notFound(about)
    return edit(object, about)
  }
  return await retries.answering(asking, kind, key, () => kind.change(asking, key, { action, once, edit: editThere }))
}
