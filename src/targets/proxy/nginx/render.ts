import { checkTable } from '../../../core/routing/check-table.ts'
import type { RoutingTable } from '../../../core/routing/model.ts'
import { sha256 } from '../../../lib/hash.ts'
import type { NginxConfig } from './config.ts'
import { listenerPart, luaUpstream, sharedPart, VERSION_MARK } from './http-conf.ts'
import { Maps } from './maps.ts'
import { plainPart } from './plain.ts'
import { mainConf, serverPart } from './server-conf.ts'
import { type TableText, tableText } from './table-text.ts'

export interface Rendered {
  /** What nginx reads when it starts or reloads: path below the folder → text. */
  readonly files: ReadonlyMap<string, string>
  /** Of those files; the running nginx says which one it has. */
  readonly version: string
  /** What it is told at run time; undefined without Lua. */
  readonly table: TableText | undefined
}

/** A whole configuration with the same content, every path of it in the folder of `config`. */
export function renderForCheck(table: RoutingTable, config: NginxConfig): string {
  const listen = config.listen ?? [`unix:${config.folder}/check.sock`]
  return render(table, { ...config, listen }).files.get('nginx.conf') ?? ''
}

/** Pure. Throws `BAD_REQUEST` for a table in which something is not what it says. */
export function render(table: RoutingTable, config: NginxConfig): Rendered {
  checkTable(table)
  const maps = new Maps()
  const location = sharedPart(table.rules, config, maps)
  const own = config.lua ? luaUpstream(config) : plainPart(table, config, maps)
  const blocked = blockedPart(table.blocked)
  const http = [blocked, maps.text(), own, listenerPart(location, config)].join('\n')
  const server = serverPart(config, { refuses: blocked !== '' })
  const draft =
    config.listen === undefined
      ? { 'http/flotilla.conf': `${http}\n`, 'server/flotilla.conf': `${server}\n` }
      : { 'nginx.conf': mainConf({ http, server, keys: config.lua ? 0 : keysIn(table) }, config) }
  const version = sha256(Object.values(draft).join('\0')).slice(0, 32)
  const files = Object.entries(draft).map(([path, text]) => [path, text.replaceAll(VERSION_MARK, version)] as const)
  return { files: new Map(files), version, table: config.lua ? tableText(table) : undefined }
}

/** Of the client as nginx knows it: whom it takes the address from is said elsewhere. */
function blockedPart(networks: readonly string[] = []): string {
  if (networks.length === 0) return ''
  const lines = ['default 0', ...networks.map((network) => `${network} 1`)].map((line) => `    ${line};`)
  return ['geo $flotilla_blocked {', ...lines, '}'].join('\n')
}

function keysIn({ placement, backends }: RoutingTable): number {
  return backends.reduce((sum, { without }) => sum + without.size, placement.size)
}
