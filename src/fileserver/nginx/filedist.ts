import { PEER_PATH } from '../../core/files/peer-wire.ts'
import { pathWithVariables, quoted } from '../../lib/nginx/quote.ts'
import { OTHER_TYPE } from '../content-types.ts'
import { BODY_BYTES_HEADER, BODY_FILE_HEADER } from '../handed.ts'
import { maps } from './filedist-maps.ts'
import { type ReadRights, TYPES } from './keys.ts'

/** The nginx of one node of a distribution tree. */
export interface FiledistNode extends ReadRights {
  /** As in nginx: `localhost:8080`. Names the logs as well. */
  readonly server: string
  /** Address of the file service. */
  readonly upstream: { readonly host: string; readonly port: number }
  readonly trees: readonly FiledistTree[]
  /** Undefined: whatever nginx was built with. */
  readonly user: string | undefined
  readonly pid: string
  readonly logDir: string
  /** In nginx's words; `0` for no limit but that of the file service. */
  readonly maxBodySize: string
  /** Socket of the file service for bodies that nginx has written. */
  readonly nginxSocket: string | undefined
  /** First part of the paths of `X-Accel-Redirect`, where the file service answers with such. */
  readonly sendfilePrefix: string | undefined
  /** Comments for the begin, of one line each. */
  readonly about: readonly string[]
}

export interface FiledistTree {
  readonly name: string
  readonly folder: string
  /** Path of the URLs of its files, with a slash at both ends, of characters that no URL encodes. */
  readonly prefix: string
  /** Where nginx may write bodies. */
  readonly incoming: string
}

/**
 * A whole configuration. What is in a folder goes out by sendfile, without a process in between; what is not there, and all that nginx
 * does not know enough for, is the file service's: writes, listings, signatures, ETags, odd names. It holds the keys that may read.
 * Throws `CONFIG_INVALID` for what no configuration can hold.
 */
export function renderFiledist(node: FiledistNode): string {
  const { server, user, pid, logDir, about } = node
  const log = (kind: string): string => `${logDir.replace(/\/+$/, '')}/${server}.${kind}`
  return `# Written by flotilla. Holds keys: chmod 600.
${about.map((line) => `# ${line.replaceAll(/[^\x20-\x7e\u00a0-\uffff]/g, ' ')}\n`).join('')}${user === undefined ? '' : `user ${quoted(user)};\n`}worker_processes auto;
daemon off;
pid ${quoted(pid)};
error_log ${quoted(log('error.log'))};
events {
  worker_connections 4096;
}
http {
  # A dollar sign that is meant as such.
  geo $flotilla_dollar {
    default "$";
  }
  # Without what stands in queries: keys.
  map $request_uri $flotilla_logged {
    "~^(?<flotilla_shown>[^?]*)" $flotilla_shown;
  }
  log_format flotilla '$remote_addr - $remote_user [$time_local]  '
                      '"$request_method $hostname:$server_port$flotilla_logged" $status $body_bytes_sent '
                      '"$http_referer" "$http_user_agent"';
  access_log ${pathWithVariables(log('access.log'))} flotilla;
${TEMPORARY.map((kind) => `  ${kind}_temp_path ${quoted(log(`tmp-${kind}`))};\n`).join('')}${maps(node)}
${upstreams(node)}
${serverOf(node)}}
`
}

/** nginx makes all of them, used or not; its own places are only the superuser's. */
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']

const PEER_FOLDER = PEER_PATH.replace(/[^/]+\/$/, '')
function upstreams({ upstream: { host, port }, nginxSocket }: FiledistNode): string {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const received = `
  upstream flotilla_received {
    server ${quoted(`unix:${nginxSocket}`)};
    keepalive 64;
  }`
  return `  upstream flotilla_files {
    server ${quoted(address)};
    keepalive 64;
  }${nginxSocket === undefined ? '' : received}`
}

function serverOf(node: FiledistNode): string {
  const { server, maxBodySize, trees, nginxSocket, sendfilePrefix } = node
  const own = ['/__missing__', '/__index__', '/__readme.txt', PEER_FOLDER]
  const isRooted = trees.some(({ prefix }) => prefix === '/')
  const accel = 'X-Accel-Redirect X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset X-Accel-Expires'
  return `  server {
    listen ${quoted(server)};
    server_tokens off;
    max_ranges 10;
    client_header_timeout 60;
    client_body_timeout 60;
    client_max_body_size ${maxBodySize};
    sendfile on;
    tcp_nopush on;
    # nginx's own would differ from those of the file service.
    etag off;
    default_type ${OTHER_TYPE};
    types {
${TYPES.replaceAll(/^/gm, '  ').trimEnd()}
    }
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    # What only nginx itself may say.
    proxy_set_header ${BODY_FILE_HEADER} "";
    proxy_set_header ${BODY_BYTES_HEADER} "";
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_max_temp_file_size 0;
    # So long may somebody wait for children.
    proxy_read_timeout 3660s;
${sendfilePrefix === undefined ? `    proxy_ignore_headers ${accel};\n` : ''}    if ($request_method !~ ^(?:GET|HEAD|PUT|POST|DELETE)$) {
      return 405;
    }
${[...own, ...(isRooted ? [] : ['/'])].map(through).join('')}${trees.map((tree) => location(tree)).join('')}${WAYS}${
    nginxSocket === undefined ? '' : QUESTION + trees.map(receiving).join('')
  }${sendfilePrefix === undefined ? '' : trees.map((tree) => internal(tree, sendfilePrefix)).join('')}  }
`
}

function through(path: string): string {
  // What a parent sends is of any size.
  const limit = path === PEER_FOLDER ? '      client_max_body_size 0;\n' : ''
  return `    location ${path} {
${limit}      proxy_pass http://flotilla_files;
    }
`
}

function location({ name, folder, prefix }: FiledistTree): string {
  return `    location ^~ ${quoted(prefix)} {
      if ($flotilla_way) {
        rewrite ^ /.flotilla-$flotilla_way/${name} last;
      }
      alias ${pathWithVariables(`${folder}/`)};
      # Which links may be followed the file service knows: those of generations, which change all at once.
      disable_symlinks on ${pathWithVariables(`from=${folder}`)};
      error_page 301 403 404 = @flotilla_asked;
    }
`
}

const WAYS = `    location @flotilla_asked {
      proxy_pass http://flotilla_files$flotilla_target;
    }
    location ^~ /.flotilla-asked/ {
      internal;
      proxy_read_timeout 120s;
      proxy_pass http://flotilla_files$flotilla_target;
    }
    location ^~ /.flotilla-written/ {
      internal;
      proxy_pass http://flotilla_files$flotilla_target;
    }
    location ^~ /.flotilla-refused/ {
      internal;
      return 405;
    }
`

/** Asked before the first byte of a body is taken: whoever may not write must not fill the disk. */
const QUESTION = `    location = /.flotilla-question {
      internal;
      proxy_method PUT;
      proxy_pass_request_body off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header Content-Length "";
      proxy_set_header ${BODY_FILE_HEADER} "";
      proxy_set_header ${BODY_BYTES_HEADER} $content_length;
      proxy_pass http://flotilla_received$flotilla_target;
    }
    location @flotilla_written {
      proxy_pass http://flotilla_files$flotilla_target;
    }
`

function receiving({ name, incoming }: FiledistTree): string {
  return `    location = /.flotilla-received/${name} {
      internal;
      auth_request /.flotilla-question;
      error_page 403 = @flotilla_written;
      client_body_temp_path ${quoted(incoming)};
      client_body_buffer_size 256k;
      # What the file service has not taken nginx removes.
      client_body_in_file_only clean;
      proxy_request_buffering on;
      proxy_pass_request_body off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header Content-Length "";
      proxy_set_header ${BODY_FILE_HEADER} $request_body_file;
      proxy_set_header ${BODY_BYTES_HEADER} $content_length;
      proxy_pass http://flotilla_received$flotilla_target;
    }
`
}

function internal({ name, folder }: FiledistTree, prefix: string): string {
  return `    location ^~ ${quoted(`/${prefix}/${name}/`)} {
      internal;
      alias ${pathWithVariables(`${folder}/`)};
      # The file service names files by where they lie in truth: a link was exchanged for one since it looked.
      disable_symlinks on ${pathWithVariables(`from=${folder}`)};
      add_header ETag $upstream_http_etag;
    }
`
}
