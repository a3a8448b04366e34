/** How the stand-in fails when told to. `none` ends it. */
export type Misbehaviour =
  | 'none'
  /** REST answers 401, as if the password had been changed. */
  | 'rest-401'
  | 'rest-403'
  | 'rest-500'
  /** Nothing is answered. */
  | 'hang'
  /** Connections are cut at once, as if nothing listened. */
  | 'down'
  /** Everything is answered `slowMs` late. */
  | 'slow'

export const MISBEHAVIOURS: readonly Misbehaviour[] = [
  'none',
  'rest-401',
  'rest-403',
  'rest-500',
  'hang',
  'down',
  'slow',
]

export interface GeoServerOptions {
  /** Folder with `global.xml`; what a first start makes is made in it. */
  readonly dataDirectory: string
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
  /** Who may use REST besides the users of the data directory that have the role ADMIN. */
  readonly user: string
  readonly password: string
  readonly version: string
  /** Plug-ins besides the core, as `about/manifest` names them, such as `gs-css`. */
  readonly modules: readonly string[]
  /**
   * What would be read from the data of a native name (a shapefile, a raster): XML elements that a new feature type or
   * coverage takes over, such as `<nativeBoundingBox>…`. Others get the whole world.
   */
  readonly data: Readonly<Record<string, string>>
  /** How long a reload takes, at least. */
  readonly reloadMs: number
  /** How long a style body, once read, is believed before its file is looked at again. A GeoServer takes 1 to 5 s. */
  readonly styleMs: number
  /** The same for gwc-layers (3 s) and for users, roles and ACL (1 to 10 s). */
  readonly fileMs: number
  readonly slowMs: number
}

export const DEFAULTS: Omit<GeoServerOptions, 'dataDirectory'> = {
  host: '127.0.0.1',
  port: 0,
  user: 'admin',
  password: 'geoserver',
  version: '2.26.2',
  modules: [],
  data: {},
  reloadMs: 500,
  styleMs: 2_000,
  fileMs: 1_000,
  slowMs: 3_000,
}

export const USAGE = `usage: main.ts --data-directory DIR [--NAME VALUE]…
  --host ${DEFAULTS.host}  --port ${DEFAULTS.port}  --user ${DEFAULTS.user}  --password ${DEFAULTS.password}
  --version ${DEFAULTS.version}  --module NAME (again for each)
  --reload-ms ${DEFAULTS.reloadMs}  --style-ms ${DEFAULTS.styleMs}  --file-ms ${DEFAULTS.fileMs}  --slow-ms ${DEFAULTS.slowMs}
A test part: see README.md beside it.`

/** @throws Error that says which argument is wrong. */
export function parseOptions(args: readonly string[]): GeoServerOptions {
  const values = new Map<string, string[]>()
  for (let at = 0; at < args.length; at += 2) {
    const [name = '', value] = [args[at], args[at + 1]]
    if (!OPTIONS.has(name) || value === undefined) throw new Error(`unknown or incomplete: ${name}\n${USAGE}`)
    values.set(name, [...(values.get(name) ?? []), value])
  }
  const text = (name: string, otherwise: string): string => values.get(name)?.at(-1) ?? otherwise
  const number = (name: string, otherwise: number): number => {
    const given = Number(text(name, String(otherwise)))
    if (!Number.isInteger(given) || given < 0) throw new Error(`${name} takes a whole number`)
    return given
  }
  const dataDirectory = text('--data-directory', '')
  if (dataDirectory === '') throw new Error(`--data-directory is missing\n${USAGE}`)
  return {
    dataDirectory,
    host: text('--host', DEFAULTS.host),
    port: number('--port', DEFAULTS.port),
    user: text('--user', DEFAULTS.user),
    password: text('--password', DEFAULTS.password),
    version: text('--version', DEFAULTS.version),
    modules: values.get('--module') ?? [],
    data: {},
    reloadMs: number('--reload-ms', DEFAULTS.reloadMs),
    styleMs: number('--style-ms', DEFAULTS.styleMs),
    fileMs: number('--file-ms', DEFAULTS.fileMs),
    slowMs: number('--slow-ms', DEFAULTS.slowMs),
  }
}

const OPTIONS: ReadonlySet<string> = new Set([
  '--data-directory',
  '--host',
  '--port',
  '--user',
  '--password',
  '--version',
  '--module',
  '--reload-ms',
  '--style-ms',
  '--file-ms',
  '--slow-ms',
])
