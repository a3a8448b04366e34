import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { FlotillaError } from '../core/errors.ts'
import type { FileSource } from '../core/files/source.ts'
import { silent } from '../core/log.ts'
import type { FileCredentials } from '../lib/file-access.ts'
import type { S3Credentials } from '../lib/s3/sign.ts'
import { Secret } from '../lib/secret.ts'
import { below } from '../sync/below.ts'

export interface SourceOptions {
  /** A folder; or `http(s)://host/tree/folder` of a Flotilla, an Open-Meteo server or any S3 endpoint; or `s3://bucket/folder`. */
  readonly from: string
  readonly apikey: Secret | undefined
  readonly s3: S3Credentials | undefined
  /** Looks for the models of Open-Meteo: keys begin with the name of a model, wherever the source keeps them. */
  readonly models: boolean
  /** What was found to be there the last time; spares a question. */
  readonly known: FoundTree | undefined
  readonly clock: Clock
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** A tree of a Flotilla, and a folder in it that ends with a slash, or ''. */
export interface FoundTree {
  readonly tree: string
  readonly folder: string
}

export interface OpenedSource {
  readonly source: FileSource
  readonly found?: FoundTree
}

/** Where Open-Meteo's servers and its bucket keep models. */
const MODELS = 'data/'

/**
 * A URL and the key that stands in it as `apikey=`, or else the one that is given for all: who remembers, compares or shows the URL
 * must not have the key.
 */
export function keyApart(from: string, apikey: Secret | undefined): Pick<SourceOptions, 'from' | 'apikey'> {
  const url = /^https?:/i.test(from) && URL.canParse(from) ? new URL(from) : undefined
  const own = url?.searchParams.get('apikey') ?? ''
  if (url === undefined || own === '') return { from, apikey }
  url.searchParams.delete('apikey')
  return { from: url.href, apikey: new Secret(own) }
}

/** Opens what is meant, loading only what is needed for it. Rejects with `USAGE`, and as asking what it is does. */
export async function openSource(options: SourceOptions): Promise<OpenedSource> {
  const { from, known } = options
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(from)) return { source: await folderSource(options) }
  if (from.startsWith('s3:')) return { source: await s3Source(options) }
  if (known !== undefined) return flotillaSource(options, known)
  const { detectSource } = await import('../objects/detect/detect-source.ts')
  const { apikey, clock, signal } = options
  const detected = await detectSource({
    url: from,
    apikey,
    credentials: credentialsOf(options),
    nowMs: () => clock.nowMs(),
    signal,
  })
  if (detected.kind === 'flotilla') return flotillaSource(options, treeOf(options, detected.trees))
  return { source: detected.kind === 's3' ? await s3Source(options) : await openMeteoSource(options) }
}

async function folderSource({ from, models }: SourceOptions): Promise<FileSource> {
  const { openFolderSource } = await import('../objects/folder/folder-source.ts')
  const hasModels = await stat(join(from, MODELS)).then(
    (found) => found.isDirectory(),
    () => false,
  )
  return below(openFolderSource(from), models && hasModels ? MODELS : '')
}

async function s3Source({ from, s3, apikey, models, clock, env }: SourceOptions): Promise<FileSource> {
  const { openS3Source } = await import('../objects/s3/s3-source.ts')
  const { parseS3Url } = await import('../objects/s3/location.ts')
  const { withAwsSettings } = await import('../objects/s3/aws-settings.ts')
  const given = parseS3Url(from)
  const location = await withAwsSettings(s3 === undefined ? given : { ...given, credentials: s3 }, env, homedir())
  const source = openS3Source({ ...location, ...(apikey !== undefined && { apikey }), clock })
  return below(source, models ? MODELS : '')
}

async function openMeteoSource({ from, apikey, s3, models, clock }: SourceOptions): Promise<FileSource> {
  const { openOpenMeteoSource } = await import('../objects/openmeteo/open-meteo-source.ts')
  const source = openOpenMeteoSource({ server: from, apikey, credentials: s3, nowMs: () => clock.nowMs() })
  return below(source, models ? MODELS : '')
}

async function flotillaSource(options: SourceOptions, found: FoundTree): Promise<OpenedSource> {
  const { openFlotillaSource } = await import('../objects/flotilla/flotilla-source.ts')
  const { clock } = options
  const source = openFlotillaSource({
    server: new URL(options.from).origin,
    tree: found.tree,
    credentials: credentialsOf(options),
    nowMs: () => clock.nowMs(),
  })
  return { source: below(source, found.folder), found }
}

function credentialsOf({ apikey, s3 }: SourceOptions): FileCredentials | undefined {
  return s3 ?? (apikey === undefined ? undefined : { token: apikey })
}

/** The tree and the folder that a URL means: the first part of its path names the tree, unless there is only one. */
function treeOf({ from, models }: SourceOptions, trees: readonly string[]): FoundTree {
  const [first = '', ...rest] = decodeURIComponent(new URL(from).pathname)
    .split('/')
    .filter((part) => part !== '')
  const [only] = trees
  if (trees.includes(first)) return { tree: first, folder: folderOf(rest) }
  if (models && first === '' && trees.includes('data')) return { tree: 'data', folder: '' }
  if (models && first === '' && trees.includes('openmeteo')) return { tree: 'openmeteo', folder: MODELS }
  if (trees.length === 1 && only !== undefined) {
    const inside = folderOf(first === '' ? [] : [first, ...rest])
    return { tree: only, folder: models && inside === '' ? MODELS : inside }
  }
  throw new FlotillaError('USAGE', `${from} does not say which tree`, {
    hint: trees.length === 0 ? 'There is none that may be read.' : `Add one of its trees: ${trees.join(', ')}.`,
  })
}

const folderOf = (parts: readonly string[]): string => parts.map((part) => `${part}/`).join('')

/** The pair that a file holds, as `--s3-credentials` of a file service has it: the first of them. */
export async function readS3Pair(path: string): Promise<S3Credentials> {
  const { readS3Credentials } = await import('../fileserver/key-files.ts')
  const [first] = await readS3Credentials(path, silent)
  if (first === undefined) throw new FlotillaError('CONFIG_INVALID', `${path} holds no credentials`)
  return { accessKey: first.accessKey, secret: first.secret }
}
