import { join } from 'node:path'

/**
 * A node of nginx.filedist, as its readme describes it and its template has it, in words of ours: for each request the same work in the same
 * order. Two faults that keep the published one from loading are not repeated: apostrophes in its readme's text, and a fixed user.
 *
 * facts: github.com/niko/nginx.filedist, nginx.conf.erb and nginx.filedist, of January 2013.
 */
export interface FiledistNode {
  /** Host and port. */
  readonly server: string
  /** The files lie below it at their whole path, as `__missing__` does. */
  readonly root: string
  /** Of the paths that may be written, with slashes around. */
  readonly prefix: string
  readonly children: readonly string[]
  /** For the log files, the pid and what nginx keeps beside. */
  readonly logs: string
}

const MODULES = ['ndk_http_module', 'ngx_http_echo_module', 'ngx_http_lua_module']
/** Its default of `-m`: larger bodies are refused, all others lie in memory whole. */
const BODY = '30m'

export function filedistConfiguration(node: FiledistNode): string {
  const { server, children, logs } = node
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${join(logs, name)};\n`)
    .join('')
  return `${MODULES.map((name) => `load_module /usr/lib/nginx/modules/${name}.so;\n`).join('')}${user}
worker_processes ${children.length + 1};
daemon off;
error_log ${join(logs, 'error.log')};
pid ${pidFile(node)};
events { worker_connections 1024; }
http {
  log_format enhanced '$remote_addr - $remote_user [$time_local]  "$request_method $hostname:$server_port$uri" '
                      '$status $body_bytes_sent "$http_referer" "$http_user_agent"';
  access_log ${join(logs, 'access.log')} enhanced;
${temporary}  server_tokens off;
  max_ranges 10;
  client_header_timeout 60;
  client_body_timeout 60;
  keepalive_timeout 30;
  keepalive_requests 50;
  client_max_body_size ${BODY};
  client_body_buffer_size ${BODY};
  client_body_in_single_buffer on;
  proxy_next_upstream error timeout http_404;
  proxy_connect_timeout 10s;
  proxy_read_timeout 10s;
  proxy_send_timeout 10s;
  default_type text/html;
  types { text/plain txt; text/html html; audio/mpeg mp3; }
${children.length === 0 ? '' : `  upstream all_children { ${children.map((child) => `server ${child};`).join(' ')} }\n`}
  server {
    listen ${server};
    location = /__readme.txt { echo 'PUT, GET and DELETE below ${node.prefix}'; }
${children.map(childLocation).join('')}${listings(node)}${filesLocation(node)}  }
}
`
}

function pidFile({ logs }: FiledistNode): string {
  return join(logs, 'nginx.pid')
}

function childLocation(child: string): string {
  return `    location /${child}/ { internal; proxy_pass http://${child}/; }\n`
}

function listings({ root }: FiledistNode): string {
  return ['__index__', '__missing__']
    .map(
      (name) => `    location /${name} { if ($request_method != GET) { return 405; } root ${root}; autoindex on; }\n`,
    )
    .join('')
}

function filesLocation(node: FiledistNode): string {
  const { root, prefix, children } = node
  const elsewhere = children.length === 0 ? '' : 'try_files $uri $uri/ @all_children;'
  return `${children.length === 0 ? '' : '    location @all_children { proxy_pass http://all_children; }\n'}
    location ${prefix} {
      if ($request_method !~ ^(GET|HEAD|PUT|DELETE)$) { return 405; }
      root ${root};
      autoindex on;
      ${elsewhere}
      if ($request_method = PUT) {
        lua_need_request_body on;
        content_by_lua_block {
${writing(node)}
        }
      }
      if ($request_method = DELETE) {
        content_by_lua_block {
${removing(node)}
        }
      }
    }
`
}

/** The whole body is one string of Lua; a shell makes the folder; then the file, in place; then one child after the other. */
function writing(node: FiledistNode): string {
  const { server, root, children } = node
  const lines = `
local path, body = "${root}" .. ngx.var.uri, ngx.var.request_body
os.execute("mkdir -p " .. path:match("^(.*/)"))
local out = io.open(path, "w")
out:write(body)
out:seek("set")
local size = out:seek("end")
out:close()
if size == #body then
  ngx.status = ngx.HTTP_CREATED
  ngx.say("success: ${server}" .. ngx.var.uri .. " stored: " .. size .. "bytes")
else
  ngx.status = ngx.HTTP_INTERNAL_SERVER_ERROR
  ngx.say("error: ${server}" .. ngx.var.uri .. " stored " .. size .. " of " .. #body .. "bytes")
end`
  const link = `'<a href="' .. ngx.var.uri .. '">' .. ngx.var.uri .. '</a>'`
  const told = children.map((child) =>
    toChild(node, child, {
      request: '{ method = ngx.HTTP_PUT, body = ngx.var.request_body }',
      good: 'ngx.HTTP_CREATED',
      failed: `${link} .. " failed to store: "`,
    }),
  )
  return [lines, ...told].join('\n')
}

function removing(node: FiledistNode): string {
  const { server, root, children } = node
  const lines = `
if os.remove("${root}" .. ngx.var.uri) then
  ngx.status = ngx.HTTP_OK
  ngx.say("success: ${server}" .. ngx.var.uri .. " removed")
else
  ngx.status = ngx.HTTP_INTERNAL_SERVER_ERROR
  ngx.say("error: ${server}" .. ngx.var.uri .. " failed to remove")
end`
  const told = children.map((child) =>
    toChild(node, child, {
      request: '{ method = ngx.HTTP_DELETE }',
      good: 'ngx.HTTP_OK',
      failed: 'ngx.var.uri .. " failed to remove: "',
    }),
  )
  return [lines, ...told].join('\n')
}

interface Telling {
  readonly request: string
  readonly good: string
  readonly failed: string
}

function toChild({ root }: FiledistNode, child: string, { request, good, failed }: Telling): string {
  return `
do
  local answer = ngx.location.capture("/${child}" .. ngx.var.uri, ${request})
  if answer.status == ${good} then
    ngx.print(answer.body)
  else
    local line = "error: ${child}" .. ${failed} .. answer.status
    ngx.say(line)
    local folder = "${root}/__missing__/${child}/"
    os.execute("mkdir -p " .. folder)
    local log = io.open(folder .. os.date("%Y-%m-%d") .. ".log.html", "a+")
    log:write(os.date("%Y-%m-%d %H-%M-%S") .. " " .. line .. "<br>\\n")
    log:close()
  end
end`
}
