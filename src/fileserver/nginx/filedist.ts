import { PEER_PATH } from '../../core/files/peer-wire.ts'
import { HOPS_HEADER } from '../../core/push/wire.ts'
import { literal, pathWithVariables, quoted } from '../../lib/nginx/quote.ts'
import { OTHER_TYPE } from '../content-types.ts'
import { BODY_BYTES_HEADER, BODY_FILE_HEADER } from '../handed.ts'
import { allowedMap, classMap, type ReadRights, TYPES } from './keys.ts'

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
const SIGNED = 'X-Amz-Signature|X-Amz-Algorithm|AWSAccessKeyId'
/** Of a name: no dots at its begin, no tilde, and no escape that stands for a dot, a slash, a tilde or a control character. */
const ESCAPE = '%(?!2[EeFf]|7[EeFf]|[01])[0-9A-Fa-f][0-9A-Fa-f]'
const SEGMENT = `(?:[^/.%~?]|${ESCAPE})(?:[^/%~?]|${ESCAPE})*`
const HOPS = `$http_${HOPS_HEADER.replaceAll('-', '_')}`

function maps(node: FiledistNode): string {
  const moved = node.trees.filter(({ name, prefix }) => prefix !== `/${name}/`)
  const targets = moved.map(
    ({ name, prefix }) =>
      `    ${quoted(`~^:${literal(prefix)}(?<flotilla_rest>.*)\\z`)} ${quoted(`/${name}/$flotilla_rest`)};\n`,
  )
  const places = moved.map(
    ({ name, prefix }) =>
      `    ${quoted(`~(?s)^${literal(prefix)}(?<flotilla_key>.*)\\z`)} ${quoted(`/${name}/$flotilla_key`)};\n`,
  )
  return String.raw`  # Not empty: signed, which is for the file service to verify.
  map "$http_authorization?$args" $flotilla_signed {
    default signed;
    "~*^(?:Bearer +[^ ?]+ *)?\?(?!(?:.*&)?(?:${SIGNED})=)" "";
  }
  map $http_authorization $flotilla_given {
    default $arg_apikey;
    "~*^Bearer +(?<flotilla_bearer>[^ ]+) *\z" $flotilla_bearer;
  }
  # What the file service calls it; nobody may have signed for another.
  map "$flotilla_signed:$request_uri" $flotilla_target {
    default $request_uri;
${targets.join('')}  }
  map $uri $flotilla_place {
    default $uri;
${places.join('')}  }
${indented(classMap(node, '$flotilla_given'))}
${indented(allowedMap(node, '$flotilla_place'))}
  # Not empty: for a file by its ETag, which nginx does not know.
  map $http_if_range $flotilla_by_etag {
    default "";
    "~[\"/]" by-etag;
  }
  # 1: a reading of which nginx knows all there is to know.
  map "$request_method$flotilla_signed$flotilla_by_etag$http_if_match$http_if_none_match$http_x_amz_checksum_mode$http_want_repr_digest${HOPS}" $flotilla_plain {
    default 0;
    "GET" 1;
    "HEAD" 1;
  }
  # 1: a name that is the same to nginx and the file service, and not hidden; no other parameters.
  map $request_uri $flotilla_path {
    default 0;
    "~^(?:/${SEGMENT})+(?:\?(?:apikey=[^&]*)?)?\z" 1;
  }
  # Not empty: the way of what nginx does not answer by itself. Small bodies come faster straight through.
  map "$request_method $flotilla_plain$flotilla_path$flotilla_allowed $content_length?$args" $flotilla_way {
    default asked;
    "~^(?:GET|HEAD) 111 " "";
    "~^(?:GET|HEAD) " asked;
    "~^POST [01]* \d*\?(?:.*&)?(?:uploads|uploadId|delete)(?:[&=]|\z)" written;
    "~^POST " refused;
${
  node.nginxSocket === undefined
    ? ''
    : String.raw`    "~^PUT [01]* [1-9]\d{5,}\?(?:(?:apikey|ack)=[^&]*(?:&|\z))*\z" received;
`
}    "~^(?:PUT|DELETE) " written;
  }`
}

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

function indented(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
