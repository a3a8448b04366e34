import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CatalogClient } from '../client/catalog-client.ts'
import { CoordinationClient } from '../client/coordination-client.ts'
import { HubClient } from '../client/hub-client.ts'
import { ProfilesClient } from '../client/profiles-client.ts'
import { FlotillaError, isError } from '../core/errors.ts'
import { isName } from '../core/keys.ts'
import { DEFAULT_TREE } from '../core/status.ts'
import type { Secret } from '../lib/secret.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import type { Context } from './context.ts'

/** Options of every command that talks to a hub. */
export const CLIENT = {
  url: {
    type: 'value',
    placeholder: 'URL',
    summary:
      'the hub, or several over one store with commas between; otherwise FLOTILLA_URL, or the one that `up` started here',
  },
  tokenFile: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'file that holds your token; otherwise FLOTILLA_TOKEN_FILE, or the one that `up` made here',
    completes: 'file',
  },
  json: { type: 'flag', summary: 'print one JSON object' },
} as const

const TREE_FORM = {
  test: isName,
  words: '1 to 64 of a-z 0-9 . _ -, starting and ending with a letter or digit',
} as const

export const TREE = {
  tree: { type: 'value', placeholder: 'NAME', summary: 'which tree', fallback: DEFAULT_TREE, form: TREE_FORM },
} as const

/** Where `flotilla up` keeps its things unless told otherwise, below the working folder. */
export const DEFAULT_DATA = '.flotilla'
/** In the data folder of a hub: its address, and the token of its administrator. */
export const URL_FILE = 'url'
const TOKEN_FILE = 'admin.token'
const WHERE_TOKEN = `Say where yours is: --token-file FILE or FLOTILLA_TOKEN_FILE. \`flotilla up --data DIR\` keeps one in DIR/${TOKEN_FILE}.`
const DEFAULT_URL = 'http://127.0.0.1:8470'

interface ClientOptions {
  readonly url: string | undefined
  readonly tokenFile: string | undefined
}

export interface Hub {
  readonly client: HubClient
  readonly coordination: CoordinationClient
  readonly profiles: ProfilesClient
  readonly catalog: CatalogClient
  readonly url: string
  readonly token: Secret
  readonly tokenFile: string
}

/** Runs `use` with a client of the hub, and closes it. */
export async function withHub<T>(options: ClientOptions, context: Context, use: (hub: Hub) => Promise<T>): Promise<T> {
  const { url, origin } = await findUrl(options, context)
  const { token, tokenFile } = await findToken(options, context, url)
  // What runs under a lock or a leadership writes under its fence, without a word about it.
  const fence = nonEmpty(context.env['FLOTILLA_FENCE'])
  const client = new HubClient({ url, token, fence })
  const coordination = new CoordinationClient({ url, token, fence, clock: context.clock })
  const profiles = new ProfilesClient({ url, token, fence, clock: context.clock })
  const catalog = new CatalogClient({ url, token, fence, clock: context.clock })
  try {
    return await use({ client, coordination, profiles, catalog, url, token, tokenFile })
  } catch (error) {
    // What a hub answers, such as of its store, is none of its own address.
    const isHub = isError(error, 'UNREACHABLE') && error.message.startsWith(url)
    if (isHub && origin !== undefined) throw withHint(error, origin)
    if (isError(error, 'UNAUTHENTICATED')) throw hinted(error, `The token is from ${tokenFile}. ${WHERE_TOKEN}`)
    throw error
  } finally {
    client.close()
    coordination.close()
    profiles.close()
    catalog.close()
  }
}

/** `origin` says where the address comes from when nobody named it. */
export async function findUrl(options: ClientOptions, context: Context): Promise<{ url: string; origin?: string }> {
  const given = options.url ?? nonEmpty(context.env['FLOTILLA_URL'])
  if (given !== undefined) return { url: given }
  const file = resolve(context.cwd, DEFAULT_DATA, URL_FILE)
  const local = await localUrl(context)
  if (local !== undefined) return { url: local, origin: `The address is from ${file}.` }
  return { url: DEFAULT_URL, origin: 'No address was given, so the default was tried.' }
}

/** The default token is only ever sent to the hub it belongs to. */
export async function findToken(
  options: ClientOptions,
  context: Context,
  url: string,
): Promise<{ token: Secret; tokenFile: string }> {
  const given = options.tokenFile ?? nonEmpty(context.env['FLOTILLA_TOKEN_FILE'])
  if (given !== undefined) {
    const tokenFile = resolve(context.cwd, given)
    return { token: await readToken(tokenFile), tokenFile }
  }
  const tokenFile = resolve(context.cwd, DEFAULT_DATA, TOKEN_FILE)
  try {
    if ((await localUrl(context)) === url) return { token: await readSecretFile(tokenFile), tokenFile }
  } catch (error) {
    if (!isError(error, 'NOT_FOUND')) throw error
  }
  throw new FlotillaError('UNAUTHENTICATED', 'no token was given', {
    hint: WHERE_TOKEN,
  })
}

async function localUrl(context: Context): Promise<string | undefined> {
  try {
    return (await readFile(resolve(context.cwd, DEFAULT_DATA, URL_FILE), 'utf8')).trim()
  } catch {
    return undefined
  }
}

function withHint(error: FlotillaError, origin: string): FlotillaError {
  const hint = `${origin} Start a hub with \`flotilla up\`, or say where it is: --url URL or FLOTILLA_URL.`
  return hinted(error, hint)
}

function hinted(error: FlotillaError, hint: string): FlotillaError {
  return new FlotillaError(error.code, error.message, { ...error.details, hint })
}

/** A file that somebody named: where it holds no token, says what should be named. */
async function readToken(file: string): Promise<Secret> {
  try {
    return await readSecretFile(file)
  } catch (error) {
    // Nobody makes a token by hand, as one may make other secrets.
    if (!(error instanceof FlotillaError)) throw error
    const isOther = error.code === 'NOT_FOUND' || error.code === 'UNAUTHENTICATED'
    throw isOther || error.details.hint === undefined ? hinted(error, WHERE_TOKEN) : error
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}
