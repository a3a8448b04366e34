import { readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ROLES } from '../core/catalog/three-way.ts'
import { FlotillaError } from '../core/errors.ts'
import { PHRASE, readSecretFile } from '../lib/secret-file.ts'

/** Options of `join` for a server with a GeoServer. */
export const GEOSERVER = {
  geoserverData: {
    type: 'value',
    placeholder: 'DIR',
    summary: 'GeoServer’s data directory, of this server alone, in place of an ERDDAP',
    completes: 'folder',
  },
  geoserverUrl: {
    type: 'value',
    placeholder: 'URL',
    summary: 'this server’s own GeoServer, such as http://127.0.0.1:8080/geoserver',
  },
  geoserverUser: { type: 'value', placeholder: 'NAME', summary: 'an administrator of that GeoServer (default admin)' },
  geoserverPasswordFile: {
    type: 'value',
    placeholder: 'FILE',
    summary: 'file that holds the password of that user, readable by nobody else',
    completes: 'file',
  },
  role: {
    type: 'value',
    placeholder: 'ROLE',
    summary: 'whether changes made on this GeoServer become releases; a replica takes them back (default replica)',
    choices: ROLES,
  },
} as const

export interface GeoserverSetup {
  readonly geoserverData: string | undefined
  readonly geoserverUrl: string | undefined
  readonly geoserverUser: string | undefined
  readonly geoserverPasswordFile: string | undefined
  readonly role: string | undefined
}

/** The target that these make; undefined where none is given. Looks at the files before the one-time code is used up. Throws `USAGE`. */
export async function geoserverTargetOf(options: GeoserverSetup, cwd: string): Promise<object | undefined> {
  const { geoserverData, geoserverUrl: url, geoserverUser: user, geoserverPasswordFile, role } = options
  if (geoserverData === undefined) {
    const others = [url, user, geoserverPasswordFile, role].some((value) => value !== undefined)
    if (others) throw missing('--geoserver-data', 'It is the folder that has global.xml and workspaces.')
    return undefined
  }
  if (url === undefined) throw missing('--geoserver-url', 'Such as http://127.0.0.1:8080/geoserver, not of a proxy.')
  if (geoserverPasswordFile === undefined) {
    throw missing('--geoserver-password-file', 'Write the password of a GeoServer administrator into it, chmod 600.')
  }
  const dataDirectory = resolve(cwd, geoserverData)
  await mayBeDataDirectory(dataDirectory)
  const passwordFile = resolve(cwd, geoserverPasswordFile)
  await readSecretFile(passwordFile, PHRASE)
  const given = { ...(user !== undefined && { user }), ...(role !== undefined && { role }) }
  return { kind: 'geoserver', dataDirectory, url, passwordFile, ...given }
}

/** A node that is to be made of what the others have begins with an empty folder, or none. */
async function mayBeDataDirectory(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  if (names.length === 0 || names.includes('global.xml')) return
  throw new FlotillaError('USAGE', `--geoserver-data: ${folder} is no data directory: it has no global.xml`, {
    hint: 'Name the folder that GEOSERVER_DATA_DIR names; an empty one for a node that is to be made of the others.',
  })
}

function missing(option: string, hint: string): FlotillaError {
  return new FlotillaError('USAGE', `${option} is missing`, { hint })
}
