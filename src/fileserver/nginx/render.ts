import { plainPath, quoted } from '../../lib/nginx/quote.ts'
import { OTHER_TYPE } from '../content-types.ts'
import { allowedMap, classMap, type ReadRights, TYPES } from './keys.ts'

/** What nginx is told so that it serves files by itself, and asks the file service for everything else. */
export interface DirectServing extends ReadRights {
  /** As in nginx: `8080`, `0.0.0.0:8080`. */
  readonly listen: string
  /** Address of the file service. */
  readonly upstream: { readonly host: string; readonly port: number }
  readonly trees: readonly { readonly name: string; readonly folder: string }[]
  /** First part of the paths of `X-Accel-Redirect`, where the file service answers with such. */
  readonly sendfilePrefix?: string | undefined
}

/**
 * The configuration of a server: a file for nginx's `http` block, such as one in `conf.d`. It holds the keys, so only root should be
 * able to read it. Files go out without a process in between where a plain GET asks for one; what needs more than nginx knows
 * (listings, signatures, ETags, writes, names that nginx would take for others) goes to the file service. Throws
 * `CONFIG_INVALID` for what no configuration can hold.
 */
export function renderDirectServing(serving: DirectServing): string {
  const { listen, upstream, trees, sendfilePrefix } = serving
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host
  return String.raw`# Written by flotilla. Holds keys: chmod 600.
${classMap(serving, '$arg_apikey')}
${allowedMap(serving, '$uri')}
# 1: a GET of which nginx knows all there is to know.
map "$request_method$http_authorization$http_if_match$http_if_none_match$http_if_range$http_x_amz_checksum_mode" $flotilla_plain {
  default 0;
  "GET" 1;
}
# 1: nothing that nginx would take for something else: no escapes, no hidden names, no other parameters.
map $request_uri $flotilla_path {
  default 0;
  "~^(?:/[^/.%~?][^/%~?]*)+(?:\?(?:apikey=[^&]*|rate=[0-9]+)(?:&(?:apikey=[^&]*|rate=[0-9]+))?)?\z" 1;
}
map "$flotilla_plain$flotilla_path$flotilla_allowed" $flotilla_asks {
  default 1;
  "111" 0;
}
# Open-Meteo's clients of old ask for it, in MiB a second.
map $arg_rate $flotilla_rate {
  default 0;
  "" 0;
  "~^(?<flotilla_mib>[1-9][0-9]{0,4})\z" ${quoted(RATE)};
}
upstream flotilla_files {
  server ${quoted(`${host}:${upstream.port}`)};
  keepalive 64;
}
server {
  listen ${quoted(listen)};
  # The file service has the limits.
  client_max_body_size 0;
  proxy_request_buffering off;
  proxy_buffering off;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_read_timeout 120s;
  sendfile on;
  tcp_nopush on;
  # nginx's own would differ from those of the file service.
  etag off;
  default_type ${OTHER_TYPE};
  types {
${TYPES}  }
  location / {
    proxy_pass http://flotilla_files;
  }
  location @flotilla_files {
    proxy_pass http://flotilla_files;
  }
${trees.map(location).join('')}${sendfilePrefix === undefined ? '' : trees.map((tree) => internal(tree, sendfilePrefix)).join('')}}
`
}

/** nginx's variable, not ours. */
const RATE = '${flotilla_mib}m'

type Tree = DirectServing['trees'][number]

function location({ name, folder }: Tree): string {
  const path = plainPath(folder)
  return `  location ^~ ${quoted(`/${name}/`)} {
    if ($flotilla_asks) {
      proxy_pass http://flotilla_files;
    }
    alias ${quoted(`${path}/`)};
    # Which links may be followed the file service knows: those of generations, which change all at once. Looking for links costs as
    # much as sending a small file, so what was found stands for a second.
    open_file_cache max=10000 inactive=10s;
    open_file_cache_valid 1s;
    disable_symlinks on ${quoted(`from=${path}`)};
    limit_rate $flotilla_rate;
    error_page 301 403 404 = @flotilla_files;
  }
`
}

function internal({ name, folder }: Tree, prefix: string): string {
  const path = plainPath(folder)
  return `  location ^~ ${quoted(`/${prefix}/${name}/`)} {
    internal;
    alias ${quoted(`${path}/`)};
    # The file service names files by where they lie in truth: a link was exchanged for one since it looked.
    disable_symlinks on ${quoted(`from=${path}`)};
    add_header ETag $upstream_http_etag;
  }
`
}
