import { type KeyRule, LAST_RESORT } from '../../../core/routing/model.ts'
import type { NginxConfig } from './config.ts'
import { everyNodeMap, keyMaps } from './keys.ts'
import type { Maps } from './maps.ts'
import { plainPath } from '../../../lib/nginx/quote.ts'
import { LOOK, ROUTER } from './router-lua.ts'
import { TABLE } from './table-text.ts'

/** Stands for the version of a configuration while that is not known: it is made of the text. */
export const VERSION_MARK = '@flotilla-version@'

/** Shorter than any server keeps an idle connection: a request is not sent on one that is closed in that moment. */
export const KEEPALIVE = 'keepalive_timeout 4s;'

/** How busy a node may be, against the mean, before the next owner answers; below the least number of requests it may. */
const BUSY_BOUND = 1.5
const BUSY_MIN = 8

/** What stands in `http { }` either way: the key of a request, and the agent's listener with these lines in its location. */
export function sharedPart(rules: readonly KeyRule[], config: NginxConfig, maps: Maps): string {
  keyMaps(rules, maps)
  everyNodeMap(rules, maps)
  // Behind the first dot stands Tomcat's jvmRoute. One that is no node's name counts for nothing.
  const session = maps.capture()
  maps.define('session', '$cookie_jsessionid', '', [
    { when: { regex: `^[A-Za-z0-9_-]+\\.(?<${session}>[a-z0-9._-]+)\\z` }, value: `$${session}` },
  ])
  const isTrusted = config.listen === undefined ? '0' : '$flotilla_trusted'
  maps.define('proto', `${isTrusted} $http_x_forwarded_proto`, '$scheme', [
    { when: { text: '1 https' }, value: 'https' },
    { when: { text: '1 http' }, value: 'http' },
  ])
  maps.define('host', '$http_host', '$http_host', [{ when: { text: '' }, value: '$host' }])
  return config.lua ? luaLocation(config) : `return 200 "config ${VERSION_MARK}\\npid $pid\\n";`
}

/** The listener on which the agent asks what is in force. It tells nothing that is secret, and takes no orders. */
export function listenerPart(location: string, { control }: NginxConfig): string {
  return [
    'server {',
    `    listen ${control};`,
    '    server_name _;',
    '    access_log off;',
    '    location = /flotilla {',
    indented(location, 8),
    '    }',
    '    location / { return 404; }',
    '}',
  ].join('\n')
}

/** Everything that changes at run time is in the dict; the one upstream asks for a node in each try. */
export function luaUpstream(config: NginxConfig): string {
  return [
    'lua_shared_dict flotilla 64m;',
    'upstream flotilla {',
    '    server 0.0.0.1;',
    '    balancer_by_lua_block {',
    `${routerOf(config)}router.balance()`,
    '    }',
    '    keepalive 256;',
    `    ${KEEPALIVE}`,
    '}',
  ].join('\n')
}

function luaLocation(config: NginxConfig): string {
  return ['default_type text/plain;', 'content_by_lua_block {', `${routerOf(config)}${LOOK}`, '}'].join('\n')
}

/** Each worker makes the router once. Inlined, so that nothing but the table is read by workers, who have few rights. */
function routerOf(config: NginxConfig): string {
  const settings = {
    file: `"${plainPath(`${config.folder}/${TABLE}`)}"`,
    config: `"${VERSION_MARK}"`,
    tries: String(config.tries),
    busy_bound: String(BUSY_BOUND),
    busy_min: String(BUSY_MIN),
    last_resort: `"${LAST_RESORT}"`,
  }
  const lines = Object.entries(settings).map(([name, value]) => `router.${name} = ${value}`)
  return [
    'local router = package.loaded["flotilla_router"]',
    'if not router then',
    `router = (function()${ROUTER}${lines.join('\n')}`,
    'return router',
    'end)()',
    'package.loaded["flotilla_router"] = router',
    'end\n',
  ].join('\n')
}

export function indented(text: string, by: number): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(by))
}
