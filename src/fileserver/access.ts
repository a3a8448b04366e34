import { FlotillaError } from '../core/errors.ts'
import { sha256 } from '../lib/hash.ts'
import { isLoopbackHost } from '../lib/loopback.ts'
import type { Secret } from '../lib/secret.ts'

/** What somebody may do. */
export interface Grant {
  /** Whether it may be written as well. */
  readonly isWrite: boolean
  /** Begins of paths `tree/key`; everything where there is none. */
  readonly scopes: readonly string[]
  /** Whether it is that of a parent: its trees, whole ones, may be fed. */
  readonly isParent?: boolean | undefined
}

/** A line of a file of keys, or a key of the environment. */
export interface ApiKey {
  readonly key: Secret
  readonly grant: Grant
}

export interface S3Credential {
  readonly accessKey: string
  readonly secret: Secret
  readonly grant: Grant
}

export interface AccessOptions {
  /** Undefined where there are none at all, which is something else than an empty file. */
  readonly apiKeys?: readonly ApiKey[] | undefined
  readonly credentials?: readonly S3Credential[] | undefined
  readonly openReads: boolean
  readonly openJson: boolean
  readonly openWrites: boolean
  /** Where it is listened. */
  readonly host: string
}

const ANONYMOUS = 'anonymous'

/** Somebody who asks, and what they may do. */
export class Caller {
  /** For logs: no secret in it. */
  readonly name: string
  readonly #grants: readonly Grant[]
  /** Whether anybody may read what ends in `.json`. */
  readonly #isJsonOpen: boolean

  constructor(name: string, grants: readonly Grant[], isJsonOpen: boolean) {
    this.name = name
    this.#grants = grants
    this.#isJsonOpen = isJsonOpen
  }

  get isAnonymous(): boolean {
    return this.name === ANONYMOUS
  }

  mayRead(tree: string, key: string): boolean {
    return this.#covers(tree, key, false) || (this.#isJsonOpen && key.endsWith('.json'))
  }

  mayWrite(tree: string, key: string): boolean {
    return this.#covers(tree, key, true)
  }

  /** Whether this may be the parent of a tree, from which that takes whatever it says. */
  mayFeed(tree: string): boolean {
    return this.#grants.some(
      ({ isParent, scopes }) => isParent === true && (scopes.length === 0 || scopes.includes(`${tree}/`)),
    )
  }

  /** The begins of keys of a tree that may be read: `['']` all, `[]` none. Keys that only are open as JSON are not listed. */
  readable(tree: string): readonly string[] {
    return this.#prefixes(tree, false)
  }

  writable(tree: string): readonly string[] {
    return this.#prefixes(tree, true)
  }

  #covers(tree: string, key: string, isWrite: boolean): boolean {
    for (const grant of this.#grants) {
      if (isWrite && !grant.isWrite) continue
      if (grant.scopes.length === 0) return true
      const path = `${tree}/${key}`
      if (grant.scopes.some((scope) => path.startsWith(scope))) return true
    }
    return false
  }

  #prefixes(tree: string, isWrite: boolean): readonly string[] {
    const grants = this.#grants.filter((grant) => !isWrite || grant.isWrite)
    if (grants.some(({ scopes }) => scopes.length === 0)) return ['']
    const root = `${tree}/`
    const scopes = grants.flatMap((grant) => grant.scopes)
    if (scopes.some((scope) => root.startsWith(scope))) return ['']
    const prefixes = scopes.filter((scope) => scope.startsWith(root)).map((scope) => scope.slice(root.length))
    // One that lies in another adds nothing.
    return prefixes.filter(
      (prefix, at) => !prefixes.some((other, before) => prefix.startsWith(other) && (other !== prefix || before < at)),
    )
  }
}

/** Who may do what: keys, credentials, and what is open to anybody. */
export class Access {
  readonly anonymous: Caller
  /** Whether there are any S3 credentials that a signature could be checked with. */
  readonly hasCredentials: boolean
  readonly #ofKey: ReadonlyMap<string, Caller> | undefined
  readonly #ofAccessKey: ReadonlyMap<string, { readonly secret: Secret; readonly caller: Caller }>

  /** Throws `CONFIG_INVALID` for writes that are open to more than this machine. */
  constructor(options: AccessOptions) {
    const { apiKeys, credentials, openReads, openJson, openWrites, host } = options
    if (openWrites && !isLoopbackHost(host)) {
      throw new FlotillaError('CONFIG_INVALID', `anybody who reaches ${host} could write`, {
        hint: 'Open writes are for a loopback address. Give those who write a line in --s3-credentials.',
      })
    }
    const isOpen = openReads || (apiKeys === undefined && credentials === undefined)
    const isAnybodyParent = openWrites && apiKeys === undefined && credentials === undefined
    const open = isOpen || openWrites ? [{ isWrite: openWrites, scopes: [], isParent: isAnybodyParent }] : []
    this.anonymous = new Caller(ANONYMOUS, open, openJson)
    this.hasCredentials = credentials !== undefined
    this.#ofKey = apiKeys && callersByKey(apiKeys, openJson)
    this.#ofAccessKey = callersByAccessKey(credentials ?? [], openJson)
  }

  /** Undefined for a key that is not known. Without any keys, one that is sent all the same means nothing. */
  ofApiKey(key: string): Caller | undefined {
    // Looked up by digest: how long that takes says nothing about the keys.
    return this.#ofKey === undefined ? this.anonymous : this.#ofKey.get(sha256(key))
  }

  secretOf(accessKey: string): Secret | undefined {
    return this.#ofAccessKey.get(accessKey)?.secret
  }

  ofAccessKey(accessKey: string): Caller | undefined {
    return this.#ofAccessKey.get(accessKey)?.caller
  }
}

function callersByKey(keys: readonly ApiKey[], isJsonOpen: boolean): ReadonlyMap<string, Caller> {
  const grants = Map.groupBy(keys, ({ key }) => sha256(key.reveal()))
  const callers = [...grants].map(([digest, lines]) => {
    const name = `key ${digest.slice(0, 8)}`
    const own = lines.map(({ grant }) => grant)
    return [digest, new Caller(name, own, isJsonOpen)] as const
  })
  return new Map(callers)
}

function callersByAccessKey(
  credentials: readonly S3Credential[],
  isJsonOpen: boolean,
): ReadonlyMap<string, { readonly secret: Secret; readonly caller: Caller }> {
  const lines = Map.groupBy(credentials, ({ accessKey }) => accessKey)
  const callers = [...lines].map(([accessKey, own]) => {
    const [{ secret }] = own as [S3Credential, ...S3Credential[]]
    const caller = new Caller(
      accessKey,
      own.map(({ grant }) => grant),
      isJsonOpen,
    )
    return [accessKey, { secret, caller }] as const
  })
  return new Map(callers)
}
