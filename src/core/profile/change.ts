import type { Json } from '../json-patch/json.ts'

/** What can be asked of one profile, as it comes over the wire. */
export type ProfileChange =
  | CreateChange
  | PutChange
  | { readonly op: 'delete' }
  /** RFC 6902. With `at: 'params'` its pointers start at the params. */
  | { readonly op: 'patch'; readonly patch: readonly Json[]; readonly at?: 'params' | undefined }
  /** RFC 7396. */
  | { readonly op: 'merge'; readonly merge: Json; readonly at?: 'params' | undefined }
  /** All params at once: what is not named goes. */
  | { readonly op: 'params'; readonly params: Readonly<Record<string, Json>> }
  | ParamChange

interface Contents {
  readonly description?: string | undefined
  readonly documentation?: string | undefined
  readonly meta?: Readonly<Record<string, string>> | undefined
  readonly params?: Readonly<Record<string, Json>> | undefined
  readonly profiles?: readonly string[] | undefined
}

/** Only where there is no profile of that name. */
interface CreateChange extends Contents {
  readonly op: 'create'
}

/** In place of whatever is there. */
interface PutChange extends Contents {
  readonly op: 'put'
}

/** `append`, where the list does not have it yet; `take` takes it off. A list that is not there is empty, a counter 0. */
export type ParamChange =
  | { readonly op: 'set' | 'append' | 'take'; readonly param: string; readonly value: Json }
  /** Only where the param is not set: of several that add it, one does. */
  | { readonly op: 'add'; readonly param: string; readonly value: Json }
  | { readonly op: 'remove'; readonly param: string }
  | { readonly op: 'increment'; readonly param: string; readonly by?: number | undefined }

/**
 * One change of one profile, and what must be so for it to be made. `ref` is what the caller saw: of a change of one param
 * its value, which may be its default; of one of all params the params; of any other some or all members of the profile.
 */
export type ProfileOperation = ProfileChange & {
  readonly profile: string
  /** The revision that the profile must have, as its `ETag` told it; 0 where there must be none. */
  readonly ifRevision?: number | undefined
  readonly ref?: Json | undefined
}
