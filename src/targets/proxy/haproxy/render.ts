import { checkTable } from '../../../core/routing/check-table.ts'
import type { KeyRule, RoutingTable } from '../../../core/routing/model.ts'
import { sha256 } from '../../../lib/hash.ts'
import type { HaproxyConfig } from './config.ts'
import { everyNodePart, keyPart } from './keys.ts'
import { tableRows, withFingerprint } from './rows.ts'
import { backendRules, frontendRules } from './rules.ts'
import { BACKENDS, isWatched, serverLine, settingsOf, type Servers, serversOf } from './servers.ts'

/** The file with the rows; its name changes when their form does, so that no configuration ever meets rows of another. */
export const TABLE_FILE = 'table-1.map'
export const CONFIG_FILE = 'haproxy.cfg'
const BLOCKED_FILE = 'blocked.lst'

/** A variable of the process, by which a running HAProxy says what it was started with. */
export const SHAPE_VARIABLE = 'proc.flotilla'

export interface Rendered {
  /** Content by name in the folder. */
  readonly files: ReadonlyMap<string, string>
  readonly rows: readonly string[]
  readonly fingerprint: string
  readonly servers: Servers
  readonly checkMs: number
  /** Of all that HAProxy learns only by reading its configuration anew. */
  readonly shape: string
}

/** The configuration, and the account that may open the socket: the agent's. */
export interface Settings extends HaproxyConfig {
  readonly owner: string
}

/** Throws `BAD_REQUEST` for a table that is none. */
export function render(table: RoutingTable, config: Settings): Rendered {
  checkTable(table)
  const { rows, fingerprint } = withFingerprint(tableRows(table))
  const blocked = table.blocked === undefined ? [] : [[BLOCKED_FILE, table.blocked] as const]
  const rules = new Map([...keyPart(table.rules, '').files, ...everyNodePart(table.rules, '').files, ...blocked])
  const ruleFiles = [...rules].map(([name, lines]) => [name, `${lines.join('\n')}\n`] as const)
  // In a folder of their own for each content: a configuration and its rules change together, at one rename.
  const folder = `rules-${sha256(JSON.stringify(ruleFiles)).slice(0, 16)}`
  const servers = serversOf(table)
  const unnamed = text(table, { config, folder, servers: new Map(), shape: '' })
  const shape = sha256(unnamed).slice(0, 32)
  const files = new Map([
    ...ruleFiles.map(([name, lines]) => [`${folder}/${name}`, lines] as const),
    [TABLE_FILE, `${rows.join('\n')}\n`],
    [CONFIG_FILE, text(table, { config, folder, servers, shape })],
  ])
  return { files, rows, fingerprint, servers, checkMs: config.checkMs, shape }
}

interface Parts {
  readonly config: Settings
  readonly folder: string
  readonly servers: Servers
  readonly shape: string
}

function text(table: RoutingTable, { config, folder, servers, shape }: Parts): string {
  const keys = keyPart(table.rules, folder)
  const everyNode = everyNodePart(table.rules, folder)
  const blockedFile = table.blocked === undefined ? undefined : `${folder}/${BLOCKED_FILE}`
  const frontend = frontendRules({ config, table, tableFile: TABLE_FILE, blockedFile, keys, everyNode })
  const sections: (readonly [string, readonly string[]])[] = [
    ['global', globalLines(config, shape)],
    ['defaults', defaultLines(config)],
    ['frontend flotilla', frontend],
  ]
  const watch = [`option httpchk GET ${config.check ?? checkedPath(table.rules)}`, 'http-check expect rstatus ^[1-4]']
  for (const name of BACKENDS) {
    const lines = [...(servers.get(name) ?? [])].map(([node, state]) =>
      serverLine(node, state, settingsOf(name, state, config.checkMs)),
    )
    sections.push([
      `backend ${name}`,
      [...backendRules(name, table.backends.length), ...(isWatched(name) ? watch : []), ...lines],
    ])
  }
  if (table.everyNode !== undefined) sections.push(['backend every-node', [`server agent ${table.everyNode}`]])
  const head = '# Written by Flotilla: what is changed here is written over.\n'
  return head + sections.map(([title, lines]) => `\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`).join('')
}

export function socketOf(config: Pick<HaproxyConfig, 'socket' | 'folder'>): string {
  return config.socket ?? `${config.folder}/admin.sock`
}

function globalLines(config: Settings, shape: string): readonly string[] {
  return [
    'default-path config',
    `stats socket ${socketOf(config)} mode 600 user ${config.owner} level admin expose-fd listeners`,
    'stats timeout 1m',
    `user ${config.user}`,
    `group ${config.group}`,
    ...(config.log === undefined ? [] : [`log ${config.log}`]),
    `set-var ${SHAPE_VARIABLE} str(${shape})`,
    // Downloads under way are finished by the old process after a reload, but not for ever.
    'hard-stop-after 1h',
  ]
}

function defaultLines({ log, connectMs, readMs }: HaproxyConfig): readonly string[] {
  return [
    'mode http',
    ...(log === undefined ? [] : ['log global', 'option httplog']),
    // A connection that is idle when HAProxy reloads is closed with its next answer: closed at once, it could meet a request.
    'option idle-close-on-response',
    'timeout http-request 30s',
    'timeout http-keep-alive 65s',
    'timeout client 1m',
    `timeout connect ${connectMs}ms`,
    `timeout server ${readMs}ms`,
    'timeout queue 10s',
    // Once, and at the next owner: no request is passed through a whole cluster that is overloaded, or that it brings down.
    'retries 1',
    'option redispatch 1',
    'retry-on conn-failure empty-response 502 503',
  ]
}

/** A page that costs nothing. */
function checkedPath(rules: readonly KeyRule[]): string {
  const [first] = rules.flatMap((rule) => (rule.system === 'rule' ? [] : [rule]))
  const base = first?.base.replace(/\/+$/, '') ?? ''
  return first?.system === 'erddap' ? `${base}/version` : `${base}/`
}
