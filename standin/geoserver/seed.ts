import { createHash, randomBytes } from 'node:crypto'
import { propertiesDate } from './dates.ts'
import { digest } from './digest.ts'
import type { DataDirectory } from './files.ts'
import type { GeoServerOptions } from './options.ts'
import { element, escapeXml, writeXml } from './xml.ts'

export const KEYSTORE = 'security/geoserver.jceks'
export const USERS = 'security/usergroup/default/users.xml'
export const ROLES = 'security/role/default/roles.xml'

const JCEKS_MAGIC = Buffer.from('cececece00000002', 'hex')

/** Of the user of a first start: two nodes that start alike have equal users.xml, as those of a release have. */
const SALT = Buffer.alloc(16)

/** Makes what GeoServer makes when it first starts on a data directory; what is there stays. */
export function firstStart(files: DataDirectory, options: GeoServerOptions): void {
  const make = (path: string, content: () => string | Uint8Array): void => {
    if (files.kind(path) === undefined) files.write(path, content())
  }
  // Random on every node: two nodes share a keystore only when it was put there before they start.
  make(KEYSTORE, () => Buffer.concat([JCEKS_MAGIC, randomBytes(512)]))
  make('security/masterpw/default/passwd', () => randomBytes(40).toString('base64'))
  make('security/masterpw.digest', () => `digest1:${createHash('sha256').update(randomBytes(32)).digest('base64')}`)
  make('security/version.properties', version)
  make(USERS, () => usersXml(options))
  make(ROLES, () => rolesXml(options.user))
  make('security/layers.properties', () => `${comment()}mode=HIDE\n*.*.w=GROUP_ADMIN,ADMIN\n*.*.r=*\n`)
  make('security/services.properties', () => comment())
  make('security/rest.properties', () => '/**;GET=ADMIN\n/**;POST,DELETE,PUT=ADMIN\n')
  make('global.xml', () => writeXml(emptyGlobal()))
  make('logging.xml', () => writeXml(element('logging', [element('level', 'DEFAULT_LOGGING')])))
  make('gwc-gs.xml', () => writeXml(tileDefaults()))
  make('gwc/geowebcache.xml', () => '<gwcConfiguration xmlns="http://geowebcache.org/schema/1.8.0"/>\n')
  for (const folder of ['gwc-layers', 'logs', 'styles', 'workspaces']) files.makeFolder(folder)
}

function version(): string {
  const told = 'Current version of the security directory. Do not remove or alter this file'
  return `#${told}\n${comment()}version=2.5\n`
}

function comment(): string {
  return `#${propertiesDate(Date.now())}\n`
}

function usersXml({ user, password }: GeoServerOptions): string {
  return `<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<userRegistry xmlns="http://www.geoserver.org/security/users" version="1.0">
    <users>
        <user enabled="true" name="${escapeXml(user)}" password="${digest(password, SALT)}"/>
    </users>
    <groups/>
</userRegistry>
`
}

function rolesXml(user: string): string {
  return `<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<roleRegistry xmlns="http://www.geoserver.org/security/roles" version="1.0">
    <roleList>
        <role id="ADMIN"/>
        <role id="GROUP_ADMIN"/>
    </roleList>
    <userList>
        <userRoles username="${escapeXml(user)}">
            <roleRef roleID="ADMIN"/>
        </userRoles>
    </userList>
    <groupList/>
</roleRegistry>
`
}

function emptyGlobal() {
  return element('global', [
    element('settings', [element('contact', [element('id', 'contact')]), element('numDecimals', '8')]),
    element('updateSequence', '0'),
  ])
}

function tileDefaults() {
  return element('GeoServerGWCConfig', [element('version', '1.1.0'), element('cacheLayersByDefault', 'true')])
}
