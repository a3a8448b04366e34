import { INTERNAL_HEADERS, ROUTE_HEADERS } from '../../../core/routing/model.ts'
import type { NginxConfig } from './config.ts'
import { indented } from './http-conf.ts'
import { plainPath } from '../../../lib/nginx/quote.ts'

/**
 * What stands in `server { }`. Headers are added there and not in the locations, where they would take the place of those that
 * the server adds itself; without a value, as in other locations, nginx leaves them out.
 */
export function serverPart(config: NginxConfig, { refuses }: { readonly refuses: boolean }): string {
  const { locations, keyHeader, lua } = config
  const own = lua ? ['set $flotilla_served_by "";', 'set $flotilla_revision "";'] : []
  return [
    ...own,
    `add_header ${ROUTE_HEADERS.servedBy} $flotilla_served_by always;`,
    `add_header ${ROUTE_HEADERS.revision} $flotilla_revision always;`,
    ...(keyHeader === undefined ? [] : [`add_header ${keyHeader} $flotilla_key always;`]),
    ...locations.map((location) => {
      const lines = [...(refuses ? ['if ($flotilla_blocked) { return 403; }'] : []), routed(config)].join('\n')
      return [`location ${location} {`, indented(lines, 4), '}'].join('\n')
    }),
  ].join('\n')
}

function routed({ lua, connectMs, readMs, tries, retryMs, bodyMb }: NginxConfig): string {
  const accelerated = INTERNAL_HEADERS.filter((name) => name.startsWith('X-Accel-'))
  return [
    ...(lua ? ['set $flotilla_args $args;'] : []),
    `proxy_pass http://${lua ? 'flotilla' : '$flotilla_pool'};`,
    'proxy_redirect off;',
    'proxy_http_version 1.1;',
    'proxy_set_header Connection "";',
    'proxy_set_header Host $flotilla_host;',
    'proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;',
    'proxy_set_header X-Forwarded-Proto $flotilla_proto;',
    'proxy_set_header X-Forwarded-Host $flotilla_host;',
    ...INTERNAL_HEADERS.map((name) => `proxy_set_header ${name} "";`),
    ...INTERNAL_HEADERS.map((name) => `proxy_hide_header ${name};`),
    `proxy_ignore_headers ${accelerated.join(' ')};`,
    `proxy_connect_timeout ${connectMs}ms;`,
    `proxy_read_timeout ${readMs}ms;`,
    // Never with non_idempotent: a request that has an effect is sent once.
    'proxy_next_upstream error timeout http_502 http_503;',
    `proxy_next_upstream_tries ${tries};`,
    `proxy_next_upstream_timeout ${retryMs}ms;`,
    // A large download goes through memory, as fast as the client takes it, and never through a file.
    'proxy_max_temp_file_size 0;',
    `client_max_body_size ${bodyMb}m;`,
    ...(lua ? ['log_by_lua_block { package.loaded["flotilla_router"].done() }'] : []),
  ].join('\n')
}

export interface Parts {
  readonly http: string
  readonly server: string
  /** Texts in the largest `map`. */
  readonly keys: number
}

/** A whole configuration around the two parts. */
export function mainConf({ http, server, keys }: Parts, config: NginxConfig): string {
  const { folder, user, modules, accessLog, trusted, listen = [] } = config
  return [
    `user ${user};`,
    'worker_processes auto;',
    `pid ${plainPath(`${folder}/nginx.pid`)};`,
    `error_log ${plainPath(`${folder}/error.log`)} warn;`,
    // Downloads that began before a reload may end, and old workers do not stay for ever.
    'worker_shutdown_timeout 1h;',
    'worker_rlimit_nofile 65536;',
    `include ${plainPath(modules)}/*.conf;`,
    'events { worker_connections 16384; }',
    'http {',
    '    server_tokens off;',
    indented(hashSizes(keys), 4),
    '    geo $realip_remote_addr $flotilla_trusted {',
    ...['default 0', ...trusted.map((network) => `${network} 1`)].map((line) => `        ${line};`),
    '    }',
    ...(accessLog === undefined ? ['    access_log off;'] : [LOG_FORMAT, `    access_log ${accessLog} flotilla;`]),
    http,
    '    server {',
    ...listen.map((address) => `        listen ${address};`),
    '        server_name _;',
    ...trusted.map((network) => `        set_real_ip_from ${network};`),
    '        real_ip_header X-Forwarded-For;',
    '        real_ip_recursive on;',
    indented(server, 8),
    '    }',
    '}',
    '',
  ].join('\n')
}

/** The usual `combined` form, with the time that it took, the key and the node behind it. */
const LOG_FORMAT = [
  `    log_format flotilla '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '`,
  `        '"$http_referer" "$http_user_agent" $request_time "$flotilla_key" "$flotilla_served_by"';`,
].join('\n')

/** Many long texts need larger tables than nginx has by itself. */
function hashSizes(keys: number): string {
  const size = 2 ** Math.ceil(Math.log2(Math.max(2048, keys * 2)))
  return [`map_hash_max_size ${size};`, 'map_hash_bucket_size 512;', 'variables_hash_max_size 4096;'].join('\n')
}
