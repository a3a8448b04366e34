import { INTERNAL_HEADERS, LAST_RESORT, ROUTE_HEADERS, type RoutingTable } from '../../../core/routing/model.ts'
import type { HaproxyConfig } from './config.ts'
import { found, is, type KeyPart, missing } from './key-parts.ts'
import { ANY_KEY, NODE_MARK, OWNERS_MAX } from './rows.ts'
import type { BackendName } from './servers.ts'

/** How deep `a/b/../..` may go: each turn takes one level away. What is left is refused, as by those that know no limit. */
const DOT_LEVELS = 8

const PLACES = Array.from({ length: OWNERS_MAX }, (_, index) => index + 1)

const set = (variable: string, expression: string, ...conditions: readonly string[]): string =>
  `http-request set-var(txn.${variable}) ${expression}${conditions.length === 0 ? '' : ` if ${conditions.join(' ')}`}`

/** What an application would understand of the request, decoded once; what none would understand is refused. */
const TARGET_RULES = [
  `http-request deny deny_status 400 if { path -m reg '%(?![0-9A-Fa-f]{2})' } or { path -m sub %00 }`,
  set('path', `'path,url_dec,regsub("/+","/",g)'`),
  set(
    'path',
    String.raw`'var(txn.path),regsub("(/\.\.?)\z","\1/"),regsub("/\.(?=/)","",g)'`,
    '{ var(txn.path) -m sub /. }',
  ),
  ...Array.from({ length: DOT_LEVELS }, () =>
    set('path', String.raw`'var(txn.path),regsub("/(?!\.\.?/)[^/]+/\.\.(?=/)","",g)'`, '{ var(txn.path) -m sub /../ }'),
  ),
  'http-request deny deny_status 400 if { var(txn.path) -m sub /../ }',
  // An escape that is none stays what it is in a parameter, where url_dec would give up.
  set('query', `'query,regsub("%(?![0-9A-Fa-f]{2})","%25",g)'`),
]

/** Who asks, as far as that can be believed. */
function clientRules({ trusted }: HaproxyConfig): readonly string[] {
  const lines = ['http-request set-var(txn.client) src']
  const byOthers = trusted.length === 0 ? '' : ' unless from_proxy'
  if (trusted.length > 0) {
    lines.unshift(`acl from_proxy src ${trusted.join(' ')}`)
    lines.push('http-request set-var(txn.client) req.hdr_ip(x-forwarded-for,-1) if from_proxy')
  }
  return [
    ...lines,
    `http-request del-header X-Forwarded-For${byOthers}`,
    'option forwardfor',
    ...['http', 'https'].map((scheme, index) => {
      const when = [...(index === 0 ? [] : ['{ ssl_fc }']), ...(byOthers === '' ? [] : ['!from_proxy'])]
      return `http-request set-header X-Forwarded-Proto ${scheme}${when.length === 0 ? '' : ` if ${when.join(' ')}`}`
    }),
    ...INTERNAL_HEADERS.map((name) => `http-request del-header ${name}`),
  ]
}

/** The row of the key, or the one for all others; and from it who is asked, in which order. */
function rowRules(table: string): readonly string[] {
  return [
    set('row', `var(txn.key),map_str(${table})`),
    set('is_placed', 'int(1)', found('row')),
    set('row', `str(${ANY_KEY}),map_str(${table})`, missing('row')),
    set('hash', 'var(txn.client)'),
    set('hash', 'var(txn.key)', found('key')),
    set('revision', 'var(txn.row),field(1,/)'),
    set('good', 'var(txn.row),field(2,/)'),
    set('sharers', 'var(txn.row),field(4,/)'),
    set('turn', 'var(txn.client),crc32(1),mod(txn.sharers)'),
    set('owners', 'var(txn.row),field(5,/)'),
    ...[1, 2, 3].map((turn) => set('owners', `var(txn.row),field(${5 + turn},/)`, `{ var(txn.turn) -m int ${turn} }`)),
    ...PLACES.map((place) => set(`owner${place}`, `var(txn.owners),field(${place},:)`)),
  ]
}

const SESSION = 'JSESSIONID'
/** Cookies of one name in one request, each of another application. */
const SESSIONS_MAX = 3
/** What stands before a session that has a node, and the node. */
const HOME = `^((?:.*?;\\s*)??${SESSION}=)([a-z0-9._-]+)~`
const NOWHERE = 99

/**
 * A session lives in one node's memory: its cookie carries the node's name. It leads there unless that node is drained, as a
 * whole or for this key.
 */
function sessionRules(table: string): readonly string[] {
  return [
    // The first: where two applications of one host have sessions, it is that of the one that is asked.
    set('home', `'req.fhdr(cookie),regsub("${HOME}.*","\\2")'`, `{ req.fhdr(cookie) -m reg '${HOME}' }`),
    ...Array.from({ length: SESSIONS_MAX }, () => `http-request replace-header Cookie '${HOME}(.*)$' '\\1\\3'`),
    set('home_state', `str(${NODE_MARK}),concat(,txn.home),map_str(${table}),field(2,/)`, found('home')),
    set('home_place', `int(${NOWHERE})`),
    ...PLACES.map((place) => set('home_place', `int(${place})`, `{ var(txn.home),strcmp(txn.owner${place}) eq 0 }`)),
    `http-request unset-var(txn.home) if !${is('home_state', 'up')}`,
    `http-request unset-var(txn.home) if !{ var(txn.row),field(3,/) + } { var(txn.good),sub(txn.home_place) lt 0 }`,
  ]
}

/** Where a retry goes: the owner behind the one that is asked first. */
function retryRules(table: string): readonly string[] {
  return [
    set('next', 'var(txn.owner2)'),
    set('next', 'var(txn.owner1)', found('home'), '!{ var(txn.home),strcmp(txn.owner1) eq 0 }'),
    set('token', `str(${NODE_MARK}),concat(,txn.next),map_str(${table}),field(1,/)`),
  ]
}

interface Frontend {
  readonly config: HaproxyConfig
  readonly table: RoutingTable
  readonly tableFile: string
  /** Networks, one in each line. */
  readonly blockedFile: string | undefined
  readonly keys: KeyPart
  readonly everyNode: KeyPart
}

export function frontendRules({ config, table, tableFile, blockedFile, keys, everyNode }: Frontend): readonly string[] {
  const toAll = table.everyNode === undefined ? [] : [...everyNode.lines, `use_backend every-node if ${found('every')}`]
  return [
    ...config.bind.map((address) => `bind ${address}`),
    ...TARGET_RULES,
    ...clientRules(config),
    ...(blockedFile === undefined
      ? []
      : [`http-request deny deny_status 403 if { var(txn.client) -m ip -f ${blockedFile} }`]),
    // What changes something is never sent twice.
    'http-request disable-l7-retry unless METH_GET or { method OPTIONS }',
    ...keys.lines,
    ...rowRules(tableFile),
    ...sessionRules(tableFile),
    ...retryRules(tableFile),
    ...toAll,
    `use_backend hashed if ${missing('is_placed')} { nbsrv(hashed) gt 0 }`,
    'use_backend unwatched if { nbsrv(placed) eq 0 }',
    'default_backend placed',
  ]
}

/** How a server is chosen in each backend, and what is said of it. */
export function backendRules(backend: BackendName, nodes: number): readonly string[] {
  const toHome = `use-server %[var(txn.home)] if ${found('home')}`
  if (backend !== 'hashed') return [...BY_TABLE, toHome, ...TO_OWNERS, ...PLACE_RULES, ...answerRules(IS_WORSE)]
  return [...BY_HASH, `hash-balance-factor ${balanceFactor(nodes)}`, toHome, ...answerRules(is('good', '0'))]
}

const BY_TABLE = ['balance hash var(txn.token),ub64dec', 'hash-type consistent crc32']
const BY_HASH = ['balance hash var(txn.hash)', 'hash-type consistent']
const TO_OWNERS = PLACES.map((place) => `use-server %[var(txn.owner${place})] if ${found(`owner${place}`)}`)
const PLACE_RULES = [
  `http-response set-var(txn.place) int(${NOWHERE})`,
  ...PLACES.map(
    (place) => `http-response set-var(txn.place) int(${place}) if { srv_name,strcmp(txn.owner${place}) eq 0 }`,
  ),
]
const IS_WORSE = '{ var(txn.good),sub(txn.place) lt 0 } !{ srv_name,strcmp(txn.home) eq 0 }'

/** No node gets more than this many percent of the mean of running requests. */
const BALANCE = 150

/**
 * In a small cluster the bound must let the others take all that a dead node had, also while one is drained: else a retry
 * finds them full, and goes back to the dead one, which has no load at all.
 */
function balanceFactor(nodes: number): number {
  const least = nodes > 3 ? (nodes - 1) / (nodes - 2) : 2
  return Math.max(BALANCE, Math.ceil(110 * least))
}

function answerRules(isLastResort: string): readonly string[] {
  const { servedBy, revision } = ROUTE_HEADERS
  return [
    ...INTERNAL_HEADERS.map((name) => `http-response del-header ${name}`),
    `http-response set-header ${servedBy} %[srv_name]`,
    `http-response set-header ${servedBy} "%[srv_name]${LAST_RESORT}" if ${isLastResort}`,
    `http-response set-header ${revision} %[var(txn.revision)]`,
    `http-response replace-header Set-Cookie '^${SESSION}=(.*)$' '${SESSION}=%[srv_name]~\\1'`,
  ]
}
