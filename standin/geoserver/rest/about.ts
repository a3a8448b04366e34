import { type Element, element } from '../xml.ts'
import { type Ask, json, show } from '../http.ts'
import type { Routes } from '../router.ts'

const GEOTOOLS_AHEAD = 6

/** Modules of the core, as about/status names them. */
const CORE = [
  'GeoWebCache',
  'GeoServer KML',
  'GeoServer Main',
  'Rendering Engine',
  'System Properties',
  'System Environment',
  'GeoServer Security JDBC',
  'GeoServer Security LDAP',
  'GeoServer Web Coverage Service',
  'GeoServer Web Coverage Service 1.0',
  'GeoServer Web Coverage Service 1.1',
  'GeoServer Web Coverage Service 2.0',
  'GeoServer Web UI Core',
  'GeoServer Web Demos',
  'GeoServer Web UI GeoWebCache',
  'GeoServer Web UI REST',
  'GeoServer Web UI Security Core',
  'GeoServer Web UI Security JDBC',
  'GeoServer Web UI Security LDAP',
  'GeoServer Web UI Web Coverage Service',
  'GeoServer Web UI Web Feature Service',
  'GeoServer Web UI Web Map Service',
  'GeoServer Web Feature Service',
  'GeoServer Web Map Service',
]

const CORE_JARS = [
  'gs-main',
  'gs-gwc',
  'gs-gwc-rest',
  'gs-rest',
  'gs-restconfig',
  'gs-wcs',
  'gs-wfs',
  'gs-wms',
  'gs-web-core',
]

export const about: Routes = {
  'GET /rest/about/version': version,
  'GET /rest/about/status': status,
  'GET /rest/about/manifest': manifest,
  'GET /rest/about/system-status': () =>
    json({ metrics: { metric: [{ name: 'OPERATING_SYSTEM', value: 'stand-in' }] } }),
}

function resource(name: string, fields: Readonly<Record<string, string>>): Element {
  const children = Object.entries(fields).map(([key, value]) => element(key, value))
  return element('resource', children, { name })
}

/** GeoTools counts six ahead of GeoServer's minor: 2.26.2 stands on 32.2. */
function version(ask: Ask) {
  const [major = '2', minor = '0', patch = '0'] = ask.world.options.version.split('.')
  const geotools = `${Number(minor) + (major === '2' ? GEOTOOLS_AHEAD : 0)}.${patch}`
  return show(
    ask,
    element('about', [
      resource('GeoServer', {
        'Build-Timestamp': '27-Jan-2025 07:51',
        Version: ask.world.options.version,
        'Git-Revision': '5afdbaeb583528dd4361bec53b275db4764e37db',
      }),
      resource('GeoTools', {
        'Build-Timestamp': '27-Jan-2025 06:47',
        Version: geotools,
        'Git-Revision': '8a1f9921782671d7b4079f2bc09610995c94e390',
      }),
      resource('GeoWebCache', {
        Version: `${Number(major) - 1}.${minor}.${patch}`,
        'Git-Revision': `${Number(major) - 1}.${minor}.x/c987f8f4c67eeb3f022dcddcc70d631c4272aee3`,
      }),
    ]),
  )
}

function status({ world, base }: Ask) {
  const names = [...CORE, ...world.modules]
  const rows = names.map((name) => ({
    name,
    href: `${base}/rest/about/status/${encodeURIComponent(name).replaceAll('%20', '+')}.json`,
  }))
  return json({ statuss: { status: rows } })
}

/** One entry for each jar, with its version at the end of its name. */
function manifest(ask: Ask) {
  const { version } = ask.world.options
  const jars = [...CORE_JARS, ...ask.world.modules].map((name) =>
    element('resource', [element('Implementation-Version', version)], { name: `${name}-${version}` }),
  )
  return show(ask, element('about', jars))
}
