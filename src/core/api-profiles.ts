import type { Json, JsonObject } from './json-patch/json.ts'

import type { Definition, Profile } from './profile/profile.ts'

/** Requests and answers of profiles, params and transactions. */

/** Of GET /v1/profiles/:name: what the token may read of it. */
export interface ProfileAnswer extends Profile {
  /** What `If-Match` takes; the `ETag` of the answer. */
  readonly revision: number
}

/** A profile in a list: its params and its documentation are left out. */
export interface ProfileSummary {
  readonly name: string
  readonly version: number
  readonly revision: number
  readonly description: string
  readonly meta: Readonly<Record<string, string>>
  readonly profiles: readonly string[]
  /** How many the token may read. */
  readonly params: number
}

export interface ProfilesAnswer {
  readonly profiles: readonly ProfileSummary[]
}

export interface ProfileParamsAnswer {
  readonly profile: string
  /** Of the profile itself. */
  readonly revision: number
  readonly params: JsonObject
  /** With `aggregate`: by param, the profile that it is from; defaults are from none. */
  readonly from?: Readonly<Record<string, string>> | undefined
}

export interface ProfileParamAnswer {
  readonly profile: string
  readonly param: string
  readonly value: Json
  /** The profile that the value is from; absent for a default. */
  readonly from?: string | undefined
  readonly revision: number
}

/** What became of one operation. */
export interface ChangeAnswer {
  readonly profile: string
  /** Of the profile as it is now; 0 when it is gone. */
  readonly version: number
  readonly revision: number
  /** False where all was so already: nothing was written. */
  readonly changed: boolean
  /** The counter, or the list, where the token may read it. */
  readonly value?: Json | undefined
}

export interface TransactionAnswer {
  /** One for each operation, in their order. */
  readonly changes: readonly ChangeAnswer[]
}

export interface ProfileHistoryEntry {
  readonly version: number
  readonly atMs: number
  /** Id and label of the token. */
  readonly by: { readonly id: string; readonly label: string }
  readonly op: string
  /** What it changed, as JSON Patch. */
  readonly patch: readonly Json[]
  readonly deleted?: true | undefined
}

export interface ProfileHistoryAnswer {
  readonly profile: string
  /** Newest first. */
  readonly changes: readonly ProfileHistoryEntry[]
}

export interface DefinitionAnswer extends Definition {
  readonly revision: number
}

export interface DefinitionsAnswer {
  readonly params: readonly Definition[]
}

/** Body of POST /v1/profiles/:name/token. */
export interface ProfileTokenRequest {
  readonly label?: string | undefined
  /** `read` alone unless told. */
  readonly verbs?: readonly ('read' | 'write')[] | undefined
  /** Only these params; absent: all of them, and the meta. */
  readonly params?: readonly string[] | undefined
  /** Two hours unless told; a day at most, for a token that is not an operator's to make. */
  readonly ttlMs?: number | undefined
}
