import { Secret } from '../lib/secret.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Trees of Open-Meteo's server, and the variables that say where they lie. Without one it would use ./data and so on. */
const FOLDERS = [
  ['data', 'DATA_DIRECTORY'],
  ['data_run', 'DATA_RUN_DIRECTORY'],
  ['data_spatial', 'DATA_SPATIAL_DIRECTORY'],
] as const

export interface OpenMeteoEnvironment {
  /** By tree. */
  readonly folders: Readonly<Record<string, string>>
  readonly sendfilePrefix: string | undefined
  /** They may read everything. */
  readonly keys: readonly Secret[]
}

/** What the environment of an Open-Meteo server says, so that its unit file can be kept. */
export function openMeteoEnvironment(env: Environment): OpenMeteoEnvironment {
  const folders = FOLDERS.flatMap(([tree, variable]) => {
    const folder = env[variable]
    return folder === undefined || folder === '' ? [] : [[tree, folder] as const]
  })
  const texts = (env['API_SYNC_APIKEYS'] ?? '').split(',').map((text) => text.trim())
  const prefix = env['NGINX_SENDFILE_PREFIX']?.replaceAll(/^\/+|\/+$/g, '')
  return {
    folders: Object.fromEntries(folders),
    sendfilePrefix: prefix === '' ? undefined : prefix,
    keys: texts.filter((text) => text !== '').map((text) => new Secret(text)),
  }
}
